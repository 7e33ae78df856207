-- Accepts the n8n behind the URL as it is, after IdentityChanged or OriginChanged.
local os = require("os")

if obj.metadata.annotations == nil then
  obj.metadata.annotations = {}
end
obj.metadata.annotations["weirkeeper.dev/reset-at"] = os.date("!%Y-%m-%dT%H:%M:%SZ")
return obj
