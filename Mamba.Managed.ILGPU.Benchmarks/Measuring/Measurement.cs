namespace Mamba.Managed.ILGPU.Benchmarks.Measuring;

/// <summary>The unit of a row's figure.</summary>
internal enum Unit
{
    Milliseconds,
    Seconds,
    TokensPerSecond,
    TeraFlops,
    GigabytesPerSecond,
}

/// <summary>The unit of a processor that does a row's operations, whose measured rate is their ceiling.</summary>
internal enum Rate
{
    /// <summary>Multiply-adds of float32.</summary>
    Float32,

    /// <summary>Matrix instructions of TF32.</summary>
    Tf32,

    /// <summary>Matrix instructions of bfloat16.</summary>
    BFloat16,
}

/// <summary>What a row measured.</summary>
internal sealed record Measurement
{
    /// <summary>One time for each repetition.</summary>
    public required double[] Seconds { get; init; }

    /// <summary>What was done in that time, of what the unit counts: tokens, operations or bytes.</summary>
    public double Amount { get; init; }

    /// <summary>The least bytes that device memory must move: every operand and result once.</summary>
    public double Bytes { get; init; }

    /// <summary>Operations, a multiply-add being two.</summary>
    public double Operations { get; init; }

    public Rate Rate { get; init; }

    /// <summary>The largest difference from float64, or from the processor for whole models, relative to the largest entry of the sample.</summary>
    public double Error { get; init; }

    /// <summary>The largest error that is right.</summary>
    public double Bound { get; init; }

    public double Median => Seconds.Order().ElementAt(Seconds.Length / 2);

    /// <summary>The figure of the table.</summary>
    public double Value(Unit unit) => unit switch
    {
        Unit.Milliseconds => Median * 1e3,
        Unit.Seconds => Median,
        Unit.TeraFlops => Amount / Median / 1e12,
        Unit.GigabytesPerSecond => Amount / Median / 1e9,
        _ => Amount / Median,
    };
}
