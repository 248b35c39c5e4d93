namespace Mamba.Managed.ILGPU.Decode;

/// <summary>How a step runs.</summary>
internal enum StepWay
{
    /// <summary><see cref="PlainStep"/>: on every device.</summary>
    Plain,

    /// <summary><see cref="BatchStep"/>, each kernel launched by itself.</summary>
    Launches,

    /// <summary><see cref="BatchStep"/>, recorded and launched as a whole.</summary>
    Graph,

    /// <summary><see cref="PersistentStep"/>, for one sequence; more go the way of <see cref="Graph"/>.</summary>
    Persistent,
}
