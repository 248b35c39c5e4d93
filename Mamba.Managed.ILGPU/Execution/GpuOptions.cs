namespace Mamba.Managed.ILGPU.Execution;

/// <summary>In which type a device holds a model's matrices and computes with them.</summary>
public enum GpuPrecision
{
    /// <summary>bfloat16 for a model whose matrices are stored so, else float32.</summary>
    Automatic,

    /// <summary>Single precision, also for weights of 16 bits and of block formats: results are those of the processor within 1e-4.</summary>
    Float32,

    /// <summary>Weights and activations of 16 bits, sums and residual stream in single precision: twice the speed, results within about 1e-2.</summary>
    BFloat16,
}

/// <summary>How an executor uses its device.</summary>
public sealed record GpuOptions
{
    /// <summary>The type of weights and activations.</summary>
    public GpuPrecision Precision { get; init; }

    /// <summary>The most tokens of a pass, over all its sequences. Activations take memory in proportion.</summary>
    public int MaxRows { get; init; } = 4096;

    /// <summary>The most bytes to take of the device's memory; 0 for all that is free.</summary>
    public long MemoryLimit { get; init; }

    /// <summary>
    /// The folder in which compiled kernels are kept, so that the next process starts sooner; null for one below this user's cache folder
    /// (XDG_CACHE_HOME), empty for none.
    /// </summary>
    public string? KernelCacheFolder { get; init; }
}
