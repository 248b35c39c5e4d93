using ILGPU;
using Mamba.Managed.ILGPU.Benchmarks.Measuring;
using Mamba.Managed.ILGPU.Devices;
using Mamba.Managed.ILGPU.Kernels;

namespace Mamba.Managed.ILGPU.Benchmarks.Suites;

/// <summary>The selective scan, forward and backward.</summary>
internal static class ScanSuite
{
    // Inputs beyond this do not stay in the cache from one launch to the next.
    private const long CacheBytes = 160L << 20;
    private const int SampledSteps = 1 << 16;

    // Of each state: the exponent, its power, delta * u * B, and two multiply-adds. Of each token: softplus, gate and skip term.
    private const int ForwardOperations = (7 * ScanSize.States) + 20;

    // The states again, then two and a half times as much of gradients.
    private const int BackwardOperations = (24 * ScanSize.States) + 40;

    public static IEnumerable<Benchmark> Rows() =>
    [
        Forward(new(8, 2048, 2048), NumberType.Float32, 1.177, 0.31),
        Forward(new(1, 1536, 2048), NumberType.Float32, 0.135, 0.042),
        Forward(new(1, 1536, 65536), NumberType.Float32, 3.87, 0.9),
        Forward(new(8, 1536, 512), NumberType.Float32, 0.248, 0.065),
        Forward(new(8, 2048, 2048), NumberType.BFloat16, 0.595, 0.28),
        Forward(new(1, 1536, 2048), NumberType.BFloat16, 0.067, 0.042),
        Forward(new(1, 1536, 65536), NumberType.BFloat16, 2.19, 0.9),
        Forward(new(8, 1536, 512), NumberType.BFloat16, 0.118, 0.06),
        Backward(new(8, 2048, 2048), 2.750, 1.15),
        Backward(new(1, 1536, 2048), 0.349, 0.22),
    ];

    private static Benchmark Forward(ScanSize size, NumberType type, double reference, double target) =>
        new(Name("scan", size, type), $"scan forward {type}, {Words(size)}", Unit.Milliseconds, bench => MeasureForward(bench, Fit(bench, size), type))
        {
            Reference = reference,
            Target = target,
        };

    private static Benchmark Backward(ScanSize size, double reference, double target) =>
        new(Name("scan-backward", size, NumberType.Float32), $"scan backward Float32, {Words(size)}", Unit.Milliseconds, bench => MeasureBackward(bench, Fit(bench, size)))
        {
            Reference = reference,
            Target = target,
        };

    private static string Name(string work, ScanSize size, NumberType type) =>
        FormattableString.Invariant($"{work}-{(type == NumberType.Float32 ? "f32" : "bf16")}-b{size.Sequences}-d{size.Channels}-l{size.Length}");

    private static string Words(ScanSize size) => FormattableString.Invariant($"B {size.Sequences}, d_inner {size.Channels}, L {size.Length}");

    private static ScanSize Fit(Bench bench, ScanSize size) => bench.IsSmall ? new(Math.Min(size.Sequences, 2), 32, Math.Min(size.Length / 8, 200)) : size;

    private static Measurement MeasureForward(Bench bench, ScanSize size, NumberType type)
    {
        GpuSession session = bench.Session;
        int bytes = type == NumberType.Float32 ? 4 : 2;
        long values = (4L * size.Channels * size.Tokens) + (2L * ScanSize.States * size.Tokens);
        using ScanProblem problem = new(session, size, type, (int)Math.Clamp(CacheBytes / (values * bytes), 1, 4));
        problem.Restart();
        DeviceValues.Poison(session, problem.Sets[0].Y);
        SelectiveScan.Forward(session, problem.Sets[0]);
        double error = ForwardError(session, problem);
        return new()
        {
            Seconds = bench.Time(i => SelectiveScan.Forward(session, problem.Sets[i % problem.Sets.Length])),
            Bytes = (values * bytes) + (8.0 * size.Sequences * problem.StateLength),
            Operations = (double)ForwardOperations * size.Channels * size.Tokens,
            Rate = Rate.Float32,
            Error = error,
            Bound = type == NumberType.Float32 ? 1e-5 : 5e-3,
        };
    }

    private static Measurement MeasureBackward(Bench bench, ScanSize size)
    {
        GpuSession session = bench.Session;
        long values = (10L * size.Channels * size.Tokens) + (4L * ScanSize.States * size.Tokens);
        using ScanProblem problem = new(session, size, NumberType.Float32, (int)Math.Clamp(CacheBytes / (values * 4), 1, 2));
        ArrayView<float> chunks = problem.Take((long)ScanArguments.Chunks(problem.Sets[0].Pitch, size.Sequences) * problem.StateLength);
        ScanGradients gradients = Gradients(session, problem);
        ScanArguments[] sets = [.. problem.Sets.Select(set => set with { ChunkStates = chunks })];
        problem.Restart();
        SelectiveScan.Forward(session, sets[0]);
        foreach (DeviceMatrix written in (DeviceMatrix[])[gradients.U, gradients.Delta, gradients.Z, gradients.B, gradients.C])
        {
            DeviceValues.Poison(session, written);
        }

        SelectiveScan.Backward(session, sets[0], gradients);
        double error = BackwardError(session, problem, gradients);
        return new()
        {
            Seconds = bench.Time(i => SelectiveScan.Backward(session, sets[i % sets.Length], gradients)),
            Bytes = 4.0 * ((7L * size.Channels * size.Tokens) + (4L * ScanSize.States * size.Tokens) + chunks.Length),
            Operations = (double)BackwardOperations * size.Channels * size.Tokens,
            Rate = Rate.Float32,
            Error = error,
            Bound = 1e-5,
        };
    }

    private static ScanGradients Gradients(GpuSession session, ScanProblem problem)
    {
        ScanSize size = problem.Size;
        return new()
        {
            Y = DeviceValues.Draw(session, problem.TakeMatrix(size.Channels, NumberType.Float32), 7),
            U = problem.TakeMatrix(size.Channels, NumberType.Float32),
            Delta = problem.TakeMatrix(size.Channels, NumberType.Float32),
            Z = problem.TakeMatrix(size.Channels, NumberType.Float32),
            B = problem.TakeMatrix(ScanSize.States, NumberType.Float32),
            C = problem.TakeMatrix(ScanSize.States, NumberType.Float32),
            ALog = problem.Take(problem.StateLength),
            DeltaBias = problem.Take(size.Channels),
            D = problem.Take(size.Channels),
            States = StateSlots.None,
            Workspace = problem.Take(SelectiveScan.BackwardWorkspace(size.Channels, ScanSize.States, problem.Sets[0].Pitch, size.Sequences)),
        };
    }

    private static double ForwardError(GpuSession session, ScanProblem problem)
    {
        RequireWritten(session, problem.Sets[0].Y, problem.Size.Tokens, "y");
        LargestError error = new();
        Sample(session, problem, (sequence, channel, scan) =>
        {
            float[] found = DeviceValues.Row(session, problem.Sets[0].Y, channel, sequence * problem.Size.Length, problem.Size.Length);
            return () => error.Add(scan.Forward(), found);
        });
        return error.Relative;
    }

    private static double BackwardError(GpuSession session, ScanProblem problem, ScanGradients gradients)
    {
        RequireWritten(session, gradients.B, problem.Size.Tokens, "the gradient of B");
        RequireWritten(session, gradients.C, problem.Size.Tokens, "the gradient of C");
        LargestError u = new(), delta = new(), z = new();
        Sample(session, problem, (sequence, channel, scan) =>
        {
            float[] Row(DeviceMatrix matrix) => DeviceValues.Row(session, matrix, channel, sequence * problem.Size.Length, problem.Size.Length);
            (float[] given, float[] foundU, float[] foundDelta, float[] foundZ) = (Row(gradients.Y), Row(gradients.U), Row(gradients.Delta), Row(gradients.Z));
            return () =>
            {
                (double[] expectedU, double[] expectedDelta, double[] expectedZ) = scan.Backward(given);
                u.Add(expectedU, foundU);
                delta.Add(expectedDelta, foundDelta);
                z.Add(expectedZ, foundZ);
            };
        });
        return Math.Max(u.Relative, Math.Max(delta.Relative, z.Relative));
    }

    // Rows are copied one after the other, since a session is used by one thread; then they are computed side by side.
    private static void Sample(GpuSession session, ScanProblem problem, Func<int, int, ScanChannel, Action> compare)
    {
        int count = Math.Clamp(16 * SampledSteps / 8 / problem.Size.Length, 8, 32);
        Action[] comparisons =
        [
            .. Enumerable.Range(0, count).Select(i =>
            {
                int sequence = i % problem.Size.Sequences, channel = (int)(i * 7919L % problem.Size.Channels);
                return compare(sequence, channel, new ScanChannel(session, problem, sequence, channel));
            }),
        ];
        Parallel.Invoke(comparisons);
    }

    private static void RequireWritten(GpuSession session, DeviceMatrix matrix, int columns, string name)
    {
        int poison = DeviceValues.CountPoison(session, matrix, columns);
        if (poison > 0)
        {
            throw new InvalidDataException(FormattableString.Invariant($"expected every entry of {name} to be a number, found {poison} that are not"));
        }
    }
}
