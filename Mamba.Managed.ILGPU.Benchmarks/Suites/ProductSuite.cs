using ILGPU;
using Mamba.Managed.ILGPU.Benchmarks.Measuring;
using Mamba.Managed.ILGPU.Devices;
using Mamba.Managed.ILGPU.Kernels;

namespace Mamba.Managed.ILGPU.Benchmarks.Suites;

/// <summary>Products of weights [outputs, inputs] and activations [inputs, tokens].</summary>
internal static class ProductSuite
{
    private const long CacheBytes = 160L << 20;
    private const int Samples = 512;

    // Each product of float32 is three of parts with fewer bits.
    private const int Parts = 3;

    private static readonly (int Tokens, int Outputs, int Inputs)[] Sizes = [(2048, 3072, 768), (4096, 4096, 4096), (2048, 768, 1536), (2048, 80, 1536), (16, 3072, 768)];

    public static IEnumerable<Benchmark> Rows() =>
    [
        Row(0, NumberType.Float32, ProductPrecision.Default, 42.1, 80),
        Row(1, NumberType.Float32, ProductPrecision.Default, 50.1, 105),
        Row(0, NumberType.Float32, ProductPrecision.High),
        Row(1, NumberType.Float32, ProductPrecision.High),
        Row(0, NumberType.BFloat16, ProductPrecision.Default),
        Row(1, NumberType.BFloat16, ProductPrecision.Default),
        .. Enumerable.Range(2, 3).SelectMany(size => (Benchmark[])[Row(size, NumberType.Float32, ProductPrecision.Default), Row(size, NumberType.BFloat16, ProductPrecision.Default)]),
    ];

    private static Benchmark Row(int size, NumberType type, ProductPrecision precision, double? reference = null, double? target = null)
    {
        (int tokens, int outputs, int inputs) = Sizes[size];
        string name = type == NumberType.BFloat16 ? "bf16" : precision == ProductPrecision.Default ? "f32" : "f32-high";
        string words = precision == ProductPrecision.High ? ", high precision" : "";
        return new(
            FormattableString.Invariant($"product-{name}-{tokens}x{outputs}x{inputs}"),
            FormattableString.Invariant($"product {type}{words}, {tokens} x {outputs} x {inputs}"),
            Unit.TeraFlops,
            bench => bench.IsSmall ? Measure(bench, 24, 32, 48, type, precision) : Measure(bench, tokens, outputs, inputs, type, precision))
        {
            Reference = reference,
            Target = target,
        };
    }

    private static Measurement Measure(Bench bench, int tokens, int outputs, int inputs, NumberType type, ProductPrecision precision)
    {
        GpuSession session = bench.Session;
        double bytes = (type == NumberType.Float32 ? 4.0 : 2.0) * (((long)outputs * inputs) + ((long)inputs * tokens) + ((long)outputs * tokens));
        using DeviceMemory memory = new(session);
        DeviceMatrix[][] sets =
        [
            .. Enumerable.Range(0, (int)Math.Clamp(CacheBytes / bytes, 1, 4)).Select(set => (DeviceMatrix[])
            [
                DeviceValues.Draw(session, memory.TakeMatrix(outputs, inputs, type), (uint)(20 * set) + 5),
                DeviceValues.Draw(session, memory.TakeMatrix(inputs, tokens, type), (uint)(20 * set) + 6),
                memory.TakeMatrix(outputs, tokens, type),
            ]),
        ];
        ProductOptions options = new() { Precision = precision, Workspace = memory.Take<float>(MatrixProduct.WorkspaceLength(session, outputs, tokens, inputs)) };
        void Multiply(int set) => MatrixProduct.Multiply(session, new(sets[set][0]), new(sets[set][1]), sets[set][2], tokens, options);

        DeviceValues.Poison(session, sets[0][2]);
        Multiply(0);
        double error = Error(session, sets[0], tokens), operations = 2.0 * outputs * tokens * inputs;
        return new()
        {
            Seconds = bench.Time(i => Multiply(i % sets.Length)),
            Amount = operations,
            Bytes = bytes,
            Operations = type == NumberType.Float32 ? Parts * operations : operations,
            Rate = precision == ProductPrecision.High ? Rate.Tf32 : Rate.BFloat16,
            Error = error,
            Bound = type == NumberType.BFloat16 ? 5e-3 : 1e-5,
        };
    }

    private static double Error(GpuSession session, DeviceMatrix[] set, int tokens)
    {
        int poison = DeviceValues.CountPoison(session, set[2], tokens);
        if (poison > 0)
        {
            throw new InvalidDataException(FormattableString.Invariant($"expected every entry of the product to be a number, found {poison} that are not"));
        }

        float[][] host = [.. set.Select(matrix => DeviceValues.All(session, matrix))];
        (int outputs, int inputs) = (set[0].Rows, set[1].Rows);
        LargestError error = new();
        Parallel.For(0, Samples, i =>
        {
            int m = (int)(i * 7919L % outputs), n = (int)(i * 104729L % tokens);
            double sum = 0;
            for (int k = 0; k < inputs; k++)
            {
                sum += (double)host[0][(m * set[0].Pitch) + k] * host[1][(k * set[1].Pitch) + n];
            }

            error.Add([sum], [host[2][(m * set[2].Pitch) + n]]);
        });
        return error.Relative;
    }
}
