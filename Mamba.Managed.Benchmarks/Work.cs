namespace Mamba.Managed.Benchmarks;

/// <summary>What one call of a benchmark has to do at least.</summary>
/// <param name="Flops">Floating-point operations, a fused multiply-add counted as two.</param>
/// <param name="Bytes">Bytes that must come from memory or go there.</param>
/// <param name="IsStreaming">Whether memory is its limit, else the multiply-adds are.</param>
/// <param name="Threads">Threads that share the work.</param>
public readonly record struct Work(double Flops, double Bytes, bool IsStreaming, int Threads);

/// <summary>A suite that knows its work, so that times become shares of what the machine can do.</summary>
public interface ISuite
{
    /// <summary>The work of the case that the suite's parameters name.</summary>
    Work Work { get; }
}
