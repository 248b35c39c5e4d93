using ILGPU;
using Mamba.Managed.ILGPU.Devices;
using Mamba.Managed.ILGPU.Kernels;

namespace Mamba.Managed.ILGPU.Tests.Kernels;

internal delegate void ConvolutionForm(GpuSession session, in ConvolutionArguments arguments);

internal delegate void ConvolutionBackwardForm(GpuSession session, in ConvolutionArguments arguments, in ConvolutionGradients gradients);

/// <summary>A ragged pass of random numbers through a form of the convolution, held against float64.</summary>
internal sealed class ConvolutionCase
{
    private readonly Segment[] segments;
    private readonly int channels;
    private readonly int width;
    private readonly int pitch;
    private readonly NumberType type;
    private readonly float[] x;
    private readonly float[] dy;
    private readonly float[] weight;
    private readonly float[] bias;
    private readonly float[] pool;
    private readonly StateSlots slots;

    public ConvolutionCase(int[] lengths, int channels, int width = 4, bool biased = true, NumberType type = NumberType.Float32)
    {
        (this.channels, this.width, this.type) = (channels, width, type);
        segments = new Segment[lengths.Length];
        int start = 0;
        for (int i = 0; i < lengths.Length; i++)
        {
            segments[i] = new(start, lengths[i], lengths.Length - 1 - i);
            start += Padding.Up(lengths[i], Padding.Sequence);
        }

        pitch = Padding.Up(Math.Max(start, 1), Padding.Columns);
        Random random = DeviceData.Random(lengths.Sum() + channels);
        x = DeviceData.Numbers(random, (long)channels * pitch, -1.7f, 1.7f, type);
        dy = DeviceData.Numbers(random, x.Length, -1.7f, 1.7f, type);
        weight = DeviceData.Numbers(random, (long)channels * width, -1, 1);
        bias = biased ? DeviceData.Numbers(random, channels, -1, 1) : [];
        slots = new(ArrayView<float>.Empty, ((long)channels * width) + 24, 16);
        pool = DeviceData.Numbers(random, lengths.Length * slots.StateLength, -1, 1);
        foreach (Segment segment in segments)
        {
            int end = segment.Start + segment.Length;
            for (int row = 0; row < channels; row++)
            {
                x.AsSpan((row * pitch) + end, Padding.Up(segment.Length, Padding.Sequence) - segment.Length).Fill(float.NaN);
                dy.AsSpan((row * pitch) + end, Padding.Up(segment.Length, Padding.Sequence) - segment.Length).Fill(float.NaN);
            }
        }
    }

    /// <summary>Checks y, the padding and the states that replace the first.</summary>
    public void Check(GpuSession session, ConvolutionForm form)
    {
        using DeviceData data = new(session);
        ConvolutionArguments arguments = Arguments(data, withStates: true);
        form(session, arguments);
        float[] y = data.Read(arguments.Y), states = data.Read(arguments.States.Pool);
        Closeness output = new(type == NumberType.Float32 ? 1e-6 : 0.005), state = new(0);
        foreach ((Segment segment, int channel) in Items())
        {
            for (int t = 0; t < Padding.Up(segment.Length, Padding.Sequence); t++)
            {
                double sum = t < segment.Length ? Sum(segment, channel, t) : 0;
                output.Add(sum * ScanReference.Sigmoid(sum), y[Column(segment, channel) + t]);
            }

            for (int j = 0; j < width; j++)
            {
                state.Add(Input(segment, channel, segment.Length - width + j), states[State(segment, channel, j)]);
            }
        }

        output.Check("y");
        state.Check("states");
    }

    /// <summary>Checks every gradient.</summary>
    public void CheckBackward(GpuSession session, ConvolutionBackwardForm form, bool withStates = true)
    {
        using DeviceData data = new(session);
        ConvolutionArguments arguments = Arguments(data, withStates);
        float[] ones = new float[weight.Length], poison = new float[x.Length];
        Array.Fill(ones, 1);
        Array.Fill(poison, float.NaN);
        ConvolutionGradients gradients = new()
        {
            Y = data.Matrix(dy, channels, pitch, type),
            X = data.Matrix(poison, channels, pitch, type),
            Weight = data.Vector(ones),
            Bias = data.Vector(ones[..bias.Length]),
            Workspace = data.Vector(new float[CausalConvolution.BackwardWorkspace(channels, width, segments.Length)]),
        };
        form(session, arguments, gradients);
        double[] dx = new double[x.Length], dweight = [.. ones], dbias = [.. ones[..channels]];
        foreach ((Segment segment, int channel) in Items())
        {
            for (int t = 0; t < segment.Length; t++)
            {
                double sum = Sum(segment, channel, t, withStates), sigmoid = ScanReference.Sigmoid(sum);
                double slope = dy[Column(segment, channel) + t] * sigmoid * (1 + (sum * (1 - sigmoid)));
                dbias[channel] += slope;
                for (int j = 0; j < width; j++)
                {
                    int from = t - width + 1 + j;
                    dweight[(channel * width) + j] += slope * Input(segment, channel, from, withStates);
                    if (from >= 0)
                    {
                        dx[Column(segment, channel) + from] += slope * weight[(channel * width) + j];
                    }
                }
            }
        }

        float[] found = data.Read(gradients.X);
        Closeness ofX = new(1e-6);
        foreach ((Segment segment, int channel) in Items())
        {
            for (int t = 0; t < Padding.Up(segment.Length, Padding.Sequence); t++)
            {
                ofX.Add(dx[Column(segment, channel) + t], found[Column(segment, channel) + t]);
            }
        }

        ofX.Check("gradient of x");
        Check(dweight, data.Read(gradients.Weight), "gradient of the weight");
        if (bias.Length > 0)
        {
            Check(dbias, data.Read(gradients.Bias), "gradient of the bias");
        }
    }

    private static void Check(double[] expected, float[] found, string name)
    {
        Closeness closeness = new(1e-5);
        for (int i = 0; i < expected.Length; i++)
        {
            closeness.Add(expected[i], found[i]);
        }

        closeness.Check(name);
    }

    private ConvolutionArguments Arguments(DeviceData data, bool withStates) => new()
    {
        X = data.Matrix(x, channels, pitch, type),
        Y = data.Matrix(new float[x.Length], channels, pitch, type),
        Weight = data.Vector(weight),
        Bias = data.Vector(bias),
        Segments = data.Segments(segments),
        States = withStates ? slots with { Pool = data.Vector(pool) } : StateSlots.None,
    };

    private IEnumerable<(Segment Segment, int Channel)> Items() => segments.SelectMany(segment => Enumerable.Range(0, channels).Select(channel => (segment, channel)));

    private double Sum(Segment segment, int channel, int t, bool withStates = true)
    {
        double sum = bias.Length > 0 ? bias[channel] : 0;
        for (int j = 0; j < width; j++)
        {
            sum += (double)weight[(channel * width) + j] * Input(segment, channel, t - width + 1 + j, withStates);
        }

        return sum;
    }

    private double Input(Segment segment, int channel, int t, bool withStates = true) =>
        t >= 0 ? x[Column(segment, channel) + t] : withStates ? pool[State(segment, channel, width + t)] : 0;

    private long Column(Segment segment, int channel) => ((long)channel * pitch) + segment.Start;

    private long State(Segment segment, int channel, int j) => (segment.Slot * slots.StateLength) + slots.Offset + ((long)j * channels) + channel;
}
