using ILGPU;
using Mamba.Managed.ILGPU.Unrolling;

namespace Mamba.Managed.ILGPU.Kernels;

#pragma warning disable CS0162 // Unreachable code: variants of the template set its constants.

/// <summary>The convolution for GPUs with warps of 32: a warp takes 256 steps of one channel, a lane eight of them.</summary>
/// <remarks>Narrower convolutions are four wide with zeros as first weights.</remarks>
internal static partial class ConvolutionKernels
{
    /// <summary>Taps.</summary>
    public const int Width = 4;

    /// <summary>Threads of a group.</summary>
    public const int Threads = 128;

    /// <summary>Channels of a group.</summary>
    public const int GroupChannels = Threads / 32;

    /// <summary>Steps of a warp.</summary>
    public const int WarpSteps = 32 * Steps;

    /// <summary>Steps of a lane.</summary>
    private const int Steps = 8;

    /// <summary>Inputs before a step that reach it.</summary>
    private const int Earlier = Width - 1;

    private const bool IsBFloat16 = false;

    /// <summary>Computes 256 steps (z) of a group of channels (x) of one sequence (y); the first steps' warp replaces the state.</summary>
    [Unrolled("ForwardFloat32")]
    [Unrolled("ForwardBFloat16", "IsBFloat16=true")]
    internal static void Forward(FastConvolution work)
    {
        Segment segment = work.Segments[Grid.IdxY];
        int lane = Group.IdxX & 31, channel = (Grid.IdxX * GroupChannels) + (Group.IdxX >> 5), step = (Grid.IdxZ * WarpSteps) + (lane * Steps);
        int at = (channel * work.Pitch) + ((segment.Start + step) >> 2);
        float[] x = new float[Earlier + Steps], weights = new float[Width];
        if (step < segment.Length)
        {
            ReadWeights(work, channel, weights);
            ReadEarlier(work, segment, channel, step, at, x);
            float bias = work.HasBias != 0 ? work.Bias[channel] : 0f;
            for (int q = Unroll.From(0); q < Steps / 4; q++)
            {
                ReadFour(work.X, at + q, x, Earlier + (4 * q));
                Float4 y = default;
                for (int i = Unroll.From(0); i < 4; i++)
                {
                    float found = Elementary.Silu(Sum(x, (4 * q) + i, weights, bias));
                    y[i] = step + (4 * q) + i < segment.Length ? found : 0f;
                }

                FourNumbers.Write(work.Y, at + q, y, IsBFloat16);
            }
        }

        if (Grid.IdxZ == 0 && lane == 0)
        {
            ReplaceState(work, segment, channel);
        }
    }

    /// <summary>What SiLU takes at a lane's step.</summary>
    [Inlined]
    private static float Sum(float[] x, int step, float[] weights, float bias)
    {
        float sum = bias;
        for (int j = Unroll.From(0); j < Width; j++)
        {
            sum += weights[j] * x[step + j];
        }

        return sum;
    }

    [Inlined]
    private static void ReadWeights(FastConvolution work, int channel, float[] weights)
    {
        for (int j = Unroll.From(0); j < Width; j++)
        {
            int tap = j - Width + work.Width;
            weights[j] = 0f;
            if (tap >= 0)
            {
                weights[j] = work.Weight[(channel * work.Width) + tap];
            }
        }
    }

    /// <summary>Reads four neighboring numbers.</summary>
    [Inlined]
    private static void ReadFour(ArrayView<Float4> matrix, int unit, float[] to, int first)
    {
        FourNumbers numbers = default;
        FourNumbers.Read(matrix, unit, IsBFloat16, ref numbers);
        Float4 found = FourNumbers.Widen(numbers, IsBFloat16);
        for (int i = Unroll.From(0); i < 4; i++)
        {
            to[first + i] = found[i];
        }
    }

    /// <summary>Reads the inputs before a lane's first step: of the same row, or of the state.</summary>
    [Inlined]
    private static void ReadEarlier(FastConvolution work, Segment segment, int channel, int step, int at, float[] x)
    {
        if (step > 0)
        {
            float[] before = new float[4];
            ReadFour(work.X, at - 1, before, 0);
            for (int i = Unroll.From(0); i < Earlier; i++)
            {
                x[i] = before[4 - Earlier + i];
            }
        }
        else
        {
            for (int i = Unroll.From(0); i < Earlier; i++)
            {
                int oldest = work.Width - Earlier + i;
                x[i] = 0f;
                if (oldest >= 0 && work.HasStates != 0)
                {
                    x[i] = work.Pool[State(work, segment, channel, oldest)];
                }
            }
        }
    }

    /// <summary>Replaces a state, from the oldest on: each is read before the one that it replaces is needed.</summary>
    [Inlined]
    private static void ReplaceState(FastConvolution work, Segment segment, int channel)
    {
        ArrayView<float> floats = work.X.Cast<float>();
        ArrayView<ushort> halves = work.X.Cast<ushort>();
        for (int j = 0; j < work.Width && segment.Length > 0; j++)
        {
            int t = segment.Length - work.Width + j, index = (channel * work.Pitch * 4) + segment.Start + t;
            float input = 0f;
            if (t < 0)
            {
                input = work.Pool[State(work, segment, channel, work.Width + t)];
            }
            else
            {
                input = IsBFloat16 ? Interop.IntAsFloat((uint)halves[index] << 16) : floats[index];
            }

            work.Pool[State(work, segment, channel, j)] = input;
        }
    }

    private static long State(FastConvolution work, Segment segment, int channel, int j) =>
        (segment.Slot * work.StateLength) + work.StateOffset + ((long)j * work.Channels) + channel;
}
