-- Suspends the generation and the delivery. Git must not set spec.suspend: automated sync with self-healing would revert it.
obj.spec.suspend = true
return obj
