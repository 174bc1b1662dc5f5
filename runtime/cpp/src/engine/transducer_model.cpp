#include "whit/transducer_model.h"

#include <algorithm>

#include "whit/fail.h"

namespace whit {
namespace {

// The names of the encoder's ports: the first, then all states.
std::vector<std::string> encode_ports(const TransducerConfig& config, std::string first,
                                      std::string_view suffix) {
  std::vector<std::string> names = {std::move(first)};
  for (const StateShape& state : config.encoder_states) names.push_back(text(state.name, suffix));
  return names;
}

}  // namespace

TransducerModel::TransducerModel(ModelFile file, const TfliteFile& contents)
    : file_(std::move(file)),
      config_(parse_transducer_config(file_.config_text())),
      encode_(contents, "encode", encode_ports(config_, "features", ""),
              encode_ports(config_, "encoded", "_next")),
      predict_(contents, "predict", {"token", "h", "c"}, {"predicted", "h_next", "c_next"}),
      join_(contents, "join", {"encoded", "predicted"}, {"logits"}) {
  check_signatures();
}

void TransducerModel::check_signatures() const {
  const auto f32 = TensorType::kFloat32;
  check_port("encode features", encode_.input(0), f32, matrix_shape(config_.chunk_frames, config_.num_mels));
  check_port("encode encoded", encode_.output(0), f32, matrix_shape(encoded_frames(), config_.joint_hidden));
  for (size_t i = 0; i < config_.encoder_states.size(); ++i) {
    const StateShape& state = config_.encoder_states[i];
    const std::string name = "encode " + state.name;
    check_port(name, encode_.input(1 + i), f32, matrix_shape(state.rows, state.cols));
    check_port(name + "_next", encode_.output(1 + i), f32, matrix_shape(state.rows, state.cols));
  }

  const Shape joint = matrix_shape(1, config_.joint_hidden);
  const Shape history = matrix_shape(config_.predictor_state[0], config_.predictor_state[1]);
  check_port("predict token", predict_.input(0), TensorType::kInt32, {.rank = 1, .dims = {1}});
  check_port("predict h", predict_.input(1), f32, history);
  check_port("predict c", predict_.input(2), f32, history);
  check_port("predict predicted", predict_.output(0), f32, joint);
  check_port("predict h_next", predict_.output(1), f32, history);
  check_port("predict c_next", predict_.output(2), f32, history);

  check_port("join encoded", join_.input(0), f32, joint);
  check_port("join predicted", join_.input(1), f32, joint);
  check_port("join logits", join_.output(0), f32, matrix_shape(1, config_.blank() + 1));
}

size_t TransducerModel::encoder_state_floats() const {
  size_t count = 0;
  for (size_t i = 1; i < encode_.num_inputs(); ++i) count += size_t(encode_.input(i).shape.count());
  return count;
}

size_t TransducerModel::arena_bytes() const {
  return std::max({encode_.arena_bytes(), predict_.arena_bytes(), join_.arena_bytes()});
}

}  // namespace whit
