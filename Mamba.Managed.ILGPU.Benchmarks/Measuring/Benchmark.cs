namespace Mamba.Managed.ILGPU.Benchmarks.Measuring;

/// <summary>One row of the table.</summary>
/// <param name="Name">By which the row is selected.</param>
/// <param name="Work">What is measured, in words.</param>
/// <param name="Unit">Of its figures.</param>
/// <param name="Run">Checks the result of the work, then times it.</param>
internal sealed record Benchmark(string Name, string Work, Unit Unit, Func<Bench, Measurement> Run)
{
    /// <summary>What the reference reached on the same GPU: state-spaces/mamba's CUDA scan, PyTorch 2.11 with graphs and cuBLAS.</summary>
    public double? Reference { get; init; }

    /// <summary>What is aimed at.</summary>
    public double? Target { get; init; }
}
