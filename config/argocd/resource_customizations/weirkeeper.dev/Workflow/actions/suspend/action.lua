-- Suspends reads from and writes to n8n. Git must not set spec.suspend: automated sync with self-healing would revert it.
obj.spec.suspend = true
return obj
