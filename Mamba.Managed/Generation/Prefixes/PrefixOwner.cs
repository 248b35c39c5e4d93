using Mamba.Managed.Models;

namespace Mamba.Managed.Generation.Prefixes;

/// <summary>Whose states fit each other bit by bit: the model, the kind of device, the sizes.</summary>
internal sealed record PrefixOwner(ModelFingerprint Fingerprint, string Device, StateLayout Layout)
{
    /// <summary>The owner of a state.</summary>
    public PrefixOwner(ModelFingerprint fingerprint, SequenceState state)
        : this(fingerprint, state.GetType().FullName!, state.Layout)
    {
    }
}
