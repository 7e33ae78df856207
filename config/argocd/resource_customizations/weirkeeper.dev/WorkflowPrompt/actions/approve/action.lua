-- Approves the workflow that waits: the digest of the parameter, which is the proposal that somebody read, or else the present one.
local proposed = ((obj.status or {}).proposal or {}).digest
if proposed == nil then
  error("there is no proposal to approve", 0)
end
if actionParams ~= nil and actionParams["digest"] ~= nil and actionParams["digest"] ~= "" and actionParams["digest"] ~= proposed then
  error("the proposal has changed since; its digest is now " .. proposed, 0)
end

if obj.metadata.annotations == nil then
  obj.metadata.annotations = {}
end
obj.metadata.annotations["weirkeeper.dev/approved-digest"] = proposed
return obj
