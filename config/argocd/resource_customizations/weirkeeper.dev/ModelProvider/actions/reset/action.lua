-- Forgets what was found out about the server, after an upgrade of it for example.
local os = require("os")

if obj.metadata.annotations == nil then
  obj.metadata.annotations = {}
end
obj.metadata.annotations["weirkeeper.dev/reset-at"] = os.date("!%Y-%m-%dT%H:%M:%SZ")
return obj
