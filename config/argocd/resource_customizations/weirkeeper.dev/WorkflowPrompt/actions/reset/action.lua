-- Begins the generation again, with a new budget of time and attempts.
local os = require("os")

if obj.metadata.annotations == nil then
  obj.metadata.annotations = {}
end
obj.metadata.annotations["weirkeeper.dev/reset-at"] = os.date("!%Y-%m-%dT%H:%M:%SZ")
return obj
