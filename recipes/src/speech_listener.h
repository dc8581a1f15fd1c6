// A trained network of words that hears a stream.
#pragma once

#include <memory>

#include "glia/recipes/listen.h"
#include "recipes/src/speech_models.h"

namespace glia::recipes {

// It refers to the model, the form and the tokens. Throws ValueError, as Listens::listen() does.
std::unique_ptr<Listener> make_listener(const SpeechModel& model, const SpeechForm& form,
                                        const SpeechTokens& tokens, const ListenOptions& options);

}  // namespace glia::recipes
