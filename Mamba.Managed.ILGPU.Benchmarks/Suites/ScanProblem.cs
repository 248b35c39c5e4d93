using ILGPU;
using ILGPU.Runtime;
using Mamba.Managed.ILGPU.Benchmarks.Measuring;
using Mamba.Managed.ILGPU.Devices;
using Mamba.Managed.ILGPU.Kernels;

namespace Mamba.Managed.ILGPU.Benchmarks.Suites;

/// <summary>The sizes of a scan.</summary>
/// <param name="Sequences">Sequences side by side.</param>
/// <param name="Channels">d_inner.</param>
/// <param name="Length">Tokens of each.</param>
internal sealed record ScanSize(int Sequences, int Channels, int Length)
{
    public const int States = 16;

    public int Tokens => Sequences * Length;
}

/// <summary>Random inputs of a scan in device memory, several sets of them where one fits the cache.</summary>
internal sealed class ScanProblem : IDisposable
{
    private const float Log2E = 1.4426950408889634f;

    private readonly GpuSession session;
    private readonly DeviceMemory memory;
    private readonly NumberType type;

    public ScanProblem(GpuSession session, ScanSize size, NumberType type, int sets)
    {
        (this.session, Size, this.type) = (session, size, type);
        memory = new(session);
        A2 = memory.Take<float>(size.Channels * ScanSize.States);
        DeltaBias = memory.Take<float>(size.Channels);
        D = memory.Take<float>(size.Channels);
        Initial = memory.Take<float>(size.Sequences * StateLength);
        HostA2 = DrawTransitions();
        HostDeltaBias = DeviceValues.Draw(session, DeltaBias, 2, 0.8f, -3f);
        HostD = DeviceValues.Draw(session, D, 3);
        HostInitial = DeviceValues.Draw(session, Initial, 4);
        Segment[] segments = [.. Enumerable.Range(0, size.Sequences).Select(s => new Segment(s * size.Length, size.Length, s))];
        ArrayView<Segment> items = memory.Take<Segment>(segments.Length);
        items.CopyFromCPU(session.Stream, segments);
        Segments = new(items, size.Length);
        Sets = [.. Enumerable.Range(0, sets).Select(Draw)];
    }

    public ScanSize Size { get; }

    public float[] HostA2 { get; }

    public float[] HostDeltaBias { get; }

    public float[] HostD { get; }

    public float[] HostInitial { get; }

    /// <summary>What each launch takes, with states of its own.</summary>
    public ScanArguments[] Sets { get; }

    /// <summary>Numbers of a sequence's state.</summary>
    public long StateLength => (long)Size.Channels * ScanSize.States;

    private ArrayView<float> A2 { get; }

    private ArrayView<float> DeltaBias { get; }

    private ArrayView<float> D { get; }

    private ArrayView<float> Initial { get; }

    private SegmentList Segments { get; }

    public DeviceMatrix TakeMatrix(int rows, NumberType ofType) => memory.TakeMatrix(rows, Size.Tokens, ofType);

    public ArrayView<float> Take(long count) => memory.Take<float>(count);

    /// <summary>Puts the first set's states back to those that the host knows.</summary>
    public void Restart() => Initial.CopyTo(session.Stream, Sets[0].States.Pool);

    public void Dispose() => memory.Dispose();

    private ScanArguments Draw(int set)
    {
        uint seed = (uint)(100 * (set + 1));
        ArrayView<float> pool = memory.Take<float>(Size.Sequences * StateLength);
        return new()
        {
            U = DeviceValues.Draw(session, TakeMatrix(Size.Channels, type), seed),
            Delta = DeviceValues.Draw(session, TakeMatrix(Size.Channels, type), seed + 1),
            Z = DeviceValues.Draw(session, TakeMatrix(Size.Channels, type), seed + 2),
            B = DeviceValues.Draw(session, TakeMatrix(ScanSize.States, type), seed + 3),
            C = DeviceValues.Draw(session, TakeMatrix(ScanSize.States, type), seed + 4),
            Y = TakeMatrix(Size.Channels, type),
            A2 = A2,
            DeltaBias = DeltaBias,
            D = D,
            Segments = Segments,
            States = new(pool, StateLength, 0),
        };
    }

    // As the model begins: A of state n is -(n + 1), here with some noise.
    private float[] DrawTransitions()
    {
        float[] values = DeviceValues.Draw(session, A2, 1, 0.3f);
        for (int i = 0; i < values.Length; i++)
        {
            values[i] = -(1 + (i % ScanSize.States)) * MathF.Exp(values[i]) * Log2E;
        }

        A2.CopyFromCPU(session.Stream, values);
        return values;
    }
}
