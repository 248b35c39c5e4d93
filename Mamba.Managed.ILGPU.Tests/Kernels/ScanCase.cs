using ILGPU;
using Mamba.Managed.ILGPU.Devices;
using Mamba.Managed.ILGPU.Kernels;

namespace Mamba.Managed.ILGPU.Tests.Kernels;

internal delegate void ScanForm(GpuSession session, in ScanArguments arguments);

internal delegate void ScanBackwardForm(GpuSession session, in ScanArguments arguments, in ScanGradients gradients);

/// <summary>A ragged pass of random numbers through a form of the scan, held against float64.</summary>
internal sealed class ScanCase
{
    private const float Poison = float.NaN;

    private readonly Segment[] segments;
    private readonly int channels;
    private readonly int states;
    private readonly int pitch;
    private readonly NumberType type;
    private readonly float[] u;
    private readonly float[] delta;
    private readonly float[] z;
    private readonly float[] b;
    private readonly float[] c;
    private readonly float[] a2;
    private readonly float[] bias;
    private readonly float[] d;
    private readonly float[] pool;
    private readonly float[] dy;
    private readonly float[] statesGradient;
    private readonly StateSlots slots;

    public ScanCase(int[] lengths, int channels, int states, NumberType type = NumberType.Float32, int gap = 0)
    {
        (this.channels, this.states, this.type) = (channels, states, type);
        segments = new Segment[lengths.Length];
        int start = 0;
        for (int i = 0; i < lengths.Length; i++)
        {
            // Slots in another order than sequences.
            segments[i] = new(start, lengths[i], lengths.Length - 1 - i);
            start += Padding.Up(lengths[i], Padding.Sequence) + gap;
        }

        pitch = Padding.Up(Math.Max(start, 1), Padding.Columns);
        Random random = DeviceData.Random(lengths.Sum() + channels);
        long size = (long)channels * pitch;
        u = Poisoned(DeviceData.Numbers(random, size, -1.7f, 1.7f, type));
        delta = Poisoned(DeviceData.Numbers(random, size, -1.7f, 1.7f, type));
        z = Poisoned(DeviceData.Numbers(random, size, -1.7f, 1.7f, type));
        dy = Poisoned(DeviceData.Numbers(random, size, -1.7f, 1.7f, type));
        b = DeviceData.Numbers(random, (long)states * pitch, -1.7f, 1.7f, type);
        c = DeviceData.Numbers(random, (long)states * pitch, -1.7f, 1.7f, type);
        a2 = [.. Enumerable.Range(0, channels * states).Select(i => -(1 + (i % states)) * (0.5f + random.NextSingle()) * 1.4427f)];
        bias = DeviceData.Numbers(random, channels, -5, -1);
        d = DeviceData.Numbers(random, channels, -1, 1);
        slots = new(ArrayView<float>.Empty, ((long)channels * states) + 24, 16);
        pool = DeviceData.Numbers(random, lengths.Length * slots.StateLength, -1, 1);
        statesGradient = DeviceData.Numbers(random, pool.Length, -1, 1);
    }

    /// <summary>Runs forward twice and checks y, the padding, the last states and, where wanted, the states before each chunk.</summary>
    public void Check(GpuSession session, ScanForm form, bool saving = false)
    {
        using DeviceData data = new(session);
        ScanArguments arguments = Arguments(data, saving);
        form(session, arguments);
        float[] y = data.Read(arguments.Y), last = data.Read(arguments.States.Pool), chunks = saving ? data.Read(arguments.ChunkStates) : [];
        Closeness output = new(type == NumberType.Float32 ? 1e-5 : 0.005), state = new(1e-5);
        ForEach(reference =>
        {
            (int number, int channel, ScanReference scan) = reference;
            Segment segment = segments[number];
            for (int t = 0; t < segment.Length; t++)
            {
                output.Add(scan.Y[t], y[Column(number, channel) + t]);
            }

            for (int t = segment.Length; t % Padding.Sequence != 0; t++)
            {
                output.Add(0, y[Column(number, channel) + t]);
            }

            for (int n = 0; n < states; n++)
            {
                state.Add(scan.H[segment.Length, n], last[StateAt(number, channel) + n]);
                for (int t = 0; saving && t < segment.Length; t += ScanArguments.ChunkLength)
                {
                    long chunk = (segment.Start / ScanArguments.ChunkLength) + number + (t / ScanArguments.ChunkLength);
                    state.Add(scan.H[t, n], chunks[(((chunk * channels) + channel) * states) + n]);
                }
            }
        });
        output.Check("y");
        state.Check("states");
        data.Write(arguments.States.Pool, pool);
        form(session, arguments);
        Assert.That(data.Read(arguments.Y), Is.EqualTo(y), "the same run gave other bits");
    }

    /// <summary>Runs forward and backward, and checks every gradient.</summary>
    public void CheckBackward(GpuSession session, ScanForm forward, ScanBackwardForm form, bool withStates = true)
    {
        using DeviceData data = new(session);
        ScanArguments arguments = Arguments(data, saving: true);
        forward(session, arguments);
        ScanGradients gradients = Gradients(data, withStates);
        form(session, arguments, gradients);
        float[] du = data.Read(gradients.U), ddelta = data.Read(gradients.Delta), dz = data.Read(gradients.Z), db = data.Read(gradients.B), dc = data.Read(gradients.C);
        float[] dstates = withStates ? data.Read(gradients.States.Pool) : [];
        double[] sumB = new double[b.Length], sumC = new double[c.Length], sumA = new double[a2.Length], sumBias = new double[channels], sumD = new double[channels];
        Closeness ofU = new(2e-5), ofDelta = new(2e-5), ofZ = new(2e-5), ofStates = new(2e-5);
        ForEach(reference =>
        {
            (int number, int channel, ScanReference scan) = reference;
            Segment segment = segments[number];
            long row = Column(number, channel);
            scan.Backward(
                t => dy[row + t],
                n => withStates ? statesGradient[StateAt(number, channel) + n] : 0,
                (n, t, term) => sumB[((long)n * pitch) + segment.Start + t] += term,
                (n, t, term) => sumC[((long)n * pitch) + segment.Start + t] += term);
            for (int t = 0; t < Padding.Up(segment.Length, Padding.Sequence); t++)
            {
                bool token = t < segment.Length;
                ofU.Add(token ? scan.UGradient[t] : 0, du[row + t]);
                ofDelta.Add(token ? scan.DeltaGradient[t] : 0, ddelta[row + t]);
                ofZ.Add(token ? scan.ZGradient[t] : 0, dz[row + t]);
            }

            for (int n = 0; n < states; n++)
            {
                sumA[(channel * states) + n] += scan.ALogGradient[n];
                if (withStates)
                {
                    ofStates.Add(scan.StateGradient[n], dstates[StateAt(number, channel) + n]);
                }
            }

            sumBias[channel] += scan.BiasGradient;
            sumD[channel] += scan.DGradient;
        });
        ofU.Check("gradient of u");
        ofDelta.Check("gradient of delta");
        ofZ.Check("gradient of z");
        ofStates.Check("gradient of the first states");
        CheckSums(sumA, data.Read(gradients.ALog), "gradient of A_log");
        CheckSums(sumBias, data.Read(gradients.DeltaBias), "gradient of the bias");
        CheckSums(sumD, data.Read(gradients.D), "gradient of D");
        CheckColumns(sumB, db, "gradient of B");
        CheckColumns(sumC, dc, "gradient of C");
    }

    private static void CheckSums(double[] expected, float[] found, string name)
    {
        Closeness closeness = new(2e-5);
        for (int i = 0; i < expected.Length; i++)
        {
            // Gradients are added to what is there.
            closeness.Add(expected[i] + 1, found[i]);
        }

        closeness.Check(name);
    }

    private void CheckColumns(double[] expected, float[] found, string name)
    {
        Closeness closeness = new(2e-5);
        foreach (Segment segment in segments)
        {
            for (int n = 0; n < states; n++)
            {
                for (int t = 0; t < Padding.Up(segment.Length, Padding.Sequence); t++)
                {
                    closeness.Add(expected[((long)n * pitch) + segment.Start + t], found[((long)n * pitch) + segment.Start + t]);
                }
            }
        }

        closeness.Check(name);
    }

    private ScanArguments Arguments(DeviceData data, bool saving) => new()
    {
        U = data.Matrix(u, channels, pitch, type),
        Delta = data.Matrix(delta, channels, pitch, type),
        Z = data.Matrix(z, channels, pitch, type),
        B = data.Matrix(b, states, pitch, type),
        C = data.Matrix(c, states, pitch, type),
        Y = data.Matrix(new float[u.Length], channels, pitch, type),
        A2 = data.Vector(a2),
        DeltaBias = data.Vector(bias),
        D = data.Vector(d),
        Segments = data.Segments(segments),
        States = slots with { Pool = data.Vector(pool) },
        ChunkStates = saving ? data.Vector(new float[(long)ScanArguments.Chunks(pitch, segments.Length) * channels * states]) : ArrayView<float>.Empty,
    };

    private ScanGradients Gradients(DeviceData data, bool withStates)
    {
        float[] poison = new float[u.Length], selections = new float[b.Length];
        Array.Fill(poison, Poison);
        Array.Fill(selections, Poison);
        float[] ones = new float[a2.Length], workspace = new float[SelectiveScan.BackwardWorkspace(channels, states, pitch, segments.Length)];
        Array.Fill(ones, 1);
        Array.Fill(workspace, Poison);
        return new()
        {
            Y = data.Matrix(dy, channels, pitch, type),
            U = data.Matrix(poison, channels, pitch, type),
            Delta = data.Matrix(poison, channels, pitch, type),
            Z = data.Matrix(poison, channels, pitch, type),
            B = data.Matrix(selections, states, pitch, type),
            C = data.Matrix(selections, states, pitch, type),
            ALog = data.Vector(ones),
            DeltaBias = data.Vector(ones[..channels]),
            D = data.Vector(ones[..channels]),
            States = withStates ? slots with { Pool = data.Vector(statesGradient) } : StateSlots.None,
            Workspace = data.Vector(workspace),
        };
    }

    // Padding columns of what may hold anything hold NaN.
    private float[] Poisoned(float[] numbers)
    {
        for (int row = 0; row < channels; row++)
        {
            foreach (Segment segment in segments)
            {
                int end = segment.Start + segment.Length;
                numbers.AsSpan((row * pitch) + end, Padding.Up(segment.Length, Padding.Sequence) - segment.Length).Fill(Poison);
            }
        }

        return numbers;
    }

    private void ForEach(Action<(int Number, int Channel, ScanReference Scan)> check)
    {
        for (int number = 0; number < segments.Length; number++)
        {
            for (int channel = 0; channel < channels; channel++)
            {
                ScanReference scan = Reference(number, channel);
                scan.Forward();
                check((number, channel, scan));
            }
        }
    }

    private ScanReference Reference(int number, int channel)
    {
        Segment segment = segments[number];
        long row = Column(number, channel), state = StateAt(number, channel);
        return new(segment.Length, states)
        {
            U = t => u[row + t],
            Delta = t => delta[row + t],
            Z = t => z[row + t],
            B = (n, t) => b[((long)n * pitch) + segment.Start + t],
            C = (n, t) => c[((long)n * pitch) + segment.Start + t],
            A2 = n => a2[(channel * states) + n],
            First = n => pool[state + n],
            Bias = bias[channel],
            D = d[channel],
        };
    }

    private long Column(int number, int channel) => ((long)channel * pitch) + segments[number].Start;

    private long StateAt(int number, int channel) => (segments[number].Slot * slots.StateLength) + slots.Offset + ((long)channel * states);
}
