//! The `weirkeeper` binary.

fn main() {
    for crd in weirkeeper::api::crds::all() {
        println!("---\n{}", serde_saphyr::to_string(&crd).unwrap_or_default());
    }
}
