-- Publishes a stored version instead of the one in the spec: the parameter's, or else the version that is published now.
local version = nil
if actionParams ~= nil and actionParams["version"] ~= nil and actionParams["version"] ~= "" then
  version = tonumber(actionParams["version"])
elseif obj.status ~= nil then
  version = obj.status.activeVersion
end

local kept = {}
local found = false
for _, record in ipairs((obj.status or {}).history or {}) do
  kept[#kept + 1] = tostring(record.version)
  found = found or record.version == version
end
if not found then
  error("there is no such version; stored versions: " .. table.concat(kept, ", "), 0)
end

if obj.metadata.annotations == nil then
  obj.metadata.annotations = {}
end
obj.metadata.annotations["weirkeeper.dev/pinned-version"] = tostring(version)
return obj
