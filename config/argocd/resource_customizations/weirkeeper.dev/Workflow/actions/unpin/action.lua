-- Removes the pin, so that the version in the spec is published.
if obj.metadata.annotations ~= nil then
  obj.metadata.annotations["weirkeeper.dev/pinned-version"] = nil
end
return obj
