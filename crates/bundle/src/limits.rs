//! Every limit of a bundle, with its reason. A reader checks them before it allocates.

/// Bytes of a whole bundle: what one can still hold in memory and upload to a JobManager.
pub const BUNDLE_BYTES_MAX: u64 = 512 << 20;

/// Bytes of the job definition: a thousand times what people write by hand.
pub const IR_BYTES_MAX: u64 = 16 << 20;

/// Bytes of the plan, which is of the size of the job definition.
pub const PLAN_BYTES_MAX: u64 = 16 << 20;

/// Bytes of the config: names and descriptors of at most as many functions as there are layers.
pub const CONFIG_BYTES_MAX: u64 = 1 << 20;

/// Bytes of a component: one less than a frame of the protocol between operator and sidecar.
pub const COMPONENT_BYTES_MAX: u64 = (64 << 20) - 1;

/// Layers of the manifest: the job definition, the plan and the components. Registries refuse
/// manifests with some hundreds of layers.
pub const LAYERS_MAX: usize = 256;

/// Bytes of `index.json`, of `oci-layout` and of the manifest. A layer takes less than 512 bytes there
/// besides its title.
pub const METADATA_BYTES_MAX: u64 = 256 << 10;

/// Bytes of the job's name, which stands in `index.json` and in the config.
pub const NAME_BYTES_MAX: usize = 1024;

/// Bytes of a component's title: it is a file name when an OCI tool unpacks the bundle.
pub const TITLE_BYTES_MAX: usize = 255;

/// Entries of the archive: layers, config, manifest, `index.json` and `oci-layout`.
pub const ENTRIES_MAX: usize = LAYERS_MAX + 4;
