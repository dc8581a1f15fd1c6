// Whether steps on this thread leave computing to a DeferredSteps that lives.
#pragma once

namespace glia::optim {

bool steps_are_deferred();

}  // namespace glia::optim
