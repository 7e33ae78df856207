//! Everything that scenarios share: the stack, a world for each test (namespace, operator, N8nInstance), access to n8n and to the cluster
//! apart from the operator's own, a relay that counts requests, a balancer of connections, a stream of applies, and a
//! random generator with a seed. No scenario is used here.

pub mod admission;
pub mod applies;
pub mod balancer;
pub mod credentials;
pub mod dice;
pub mod header_server;
pub mod kubectl;
pub mod n8n;
pub mod relay;
pub mod session_server;
pub mod stack;
pub mod world;
