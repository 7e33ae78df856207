-- Removes spec.suspend.
obj.spec.suspend = nil
return obj
