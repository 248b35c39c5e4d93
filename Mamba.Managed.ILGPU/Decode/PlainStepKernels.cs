using ILGPU;
using ILGPU.Algorithms;
using Mamba.Managed.ILGPU.Kernels;

namespace Mamba.Managed.ILGPU.Decode;

/// <summary>The kernels of <see cref="PlainStep"/>: one work item per output, sequences fastest.</summary>
internal static class PlainStepKernels
{
    /// <summary>residual = embedding of the token.</summary>
    public static void Embed(Index1D item, EmbedArguments arguments)
    {
        int sequence = item / arguments.Features;
        int feature = item - (sequence * arguments.Features);
        arguments.Residual[item] = arguments.Table[arguments.Tokens[sequence], feature];
    }

    /// <summary>One row of in_proj of the normalized residual; rows of the scan's half go through convolution and SiLU, and their conv_state moves on.</summary>
    public static void Input(Index1D item, InputArguments arguments)
    {
        int row = item / arguments.Sequences;
        int sequence = item - (row * arguments.Sequences);
        float value = arguments.Input.Dot(arguments.InProj, row, sequence);
        if (arguments.Bias.Length > 0)
        {
            value += arguments.Bias[row];
        }

        if (row >= arguments.Channels)
        {
            arguments.Gate[(sequence * arguments.Channels) + row - arguments.Channels] = value;
        }
        else
        {
            arguments.Mixed[(sequence * arguments.Channels) + row] = Elementary.Silu(Convolve(arguments, row, sequence, value));
        }
    }

    /// <summary>One row of x_proj: dt, B, C.</summary>
    public static void Project(Index1D item, ProjectArguments arguments)
    {
        int row = item / arguments.Sequences;
        int sequence = item - (row * arguments.Sequences);
        arguments.Projected[(sequence * arguments.Outputs) + row] =
            arguments.XProj.Dot(row, arguments.Mixed, sequence * arguments.Channels, arguments.Channels);
    }

    /// <summary>One channel: delta, its states by h = exp(delta A) h + delta B u, and y = (C h + D u) silu(z).</summary>
    /// <remarks>Gu and Dao 2023, algorithm 2 and equation 2a, for one token.</remarks>
    public static void Advance(Index1D item, AdvanceArguments arguments)
    {
        int channel = item / arguments.Sequences;
        int sequence = item - (channel * arguments.Sequences);
        int dt = sequence * (arguments.Rank + (2 * arguments.States));
        int b = dt + arguments.Rank;
        int c = b + arguments.States;
        float bScale = arguments.Norms.StateScale(Squares(arguments.Projected, b, arguments.States));
        float cScale = arguments.Norms.StateScale(Squares(arguments.Projected, c, arguments.States));

        float u = arguments.Mixed[(sequence * arguments.Channels) + channel];
        float delta = Delta(arguments, channel, dt);
        long state = (arguments.Slots[sequence] * arguments.StateLength) + arguments.StateOffset + ((long)channel * arguments.States);
        float sum = 0;
        for (int n = 0; n < arguments.States; n++)
        {
            float decay = XMath.Exp2(delta * arguments.A2[(channel * arguments.States) + n]);
            float h = (decay * arguments.Pool[state + n]) + (delta * u * bScale * arguments.Projected[b + n]);
            arguments.Pool[state + n] = h;
            sum += h * arguments.Projected[c + n];
        }

        int index = (sequence * arguments.Channels) + channel;
        arguments.Gated[index] = ((sum * cScale) + (arguments.D[channel] * u)) * Elementary.Silu(arguments.Gate[index]);
    }

    /// <summary>residual += one row of out_proj.</summary>
    public static void Output(Index1D item, OutputArguments arguments)
    {
        int row = item / arguments.Sequences;
        int sequence = item - (row * arguments.Sequences);
        float value = arguments.OutProj.Dot(row, arguments.Gated, sequence * arguments.Channels, arguments.Channels);
        if (arguments.Bias.Length > 0)
        {
            value += arguments.Bias[row];
        }

        arguments.Residual[(sequence * arguments.Features) + row] += value;
    }

    /// <summary>The logit of one entry of the vocabulary.</summary>
    public static void Head(Index1D item, HeadArguments arguments)
    {
        int row = item / arguments.Sequences;
        int sequence = item - (row * arguments.Sequences);
        arguments.Logits[((long)sequence * arguments.Pitch) + row] = arguments.Input.Dot(arguments.Head, row, sequence);
    }

    private static float Convolve(InputArguments arguments, int channel, int sequence, float newest)
    {
        long state = (arguments.Slots[sequence] * arguments.StateLength) + arguments.StateOffset + channel;
        int weight = channel * arguments.Convolution;
        int last = arguments.Convolution - 1;
        float sum = newest * arguments.ConvWeight[weight + last];
        for (int k = 0; k < last; k++)
        {
            float older = arguments.Pool[state + ((long)(k + 1) * arguments.Channels)];
            arguments.Pool[state + ((long)k * arguments.Channels)] = older;
            sum += older * arguments.ConvWeight[weight + k];
        }

        arguments.Pool[state + ((long)last * arguments.Channels)] = newest;
        return arguments.ConvBias.Length > 0 ? sum + arguments.ConvBias[channel] : sum;
    }

    private static float Delta(AdvanceArguments arguments, int channel, int dt)
    {
        float scale = arguments.Norms.RankScale(Squares(arguments.Projected, dt, arguments.Rank));
        return Elementary.Softplus((scale * arguments.DtProj.Dot(channel, arguments.Projected, dt, arguments.Rank)) + arguments.DtBias[channel]);
    }

    private static float Squares(ArrayView<float> values, int start, int length)
    {
        float sum = 0;
        for (int i = 0; i < length; i++)
        {
            float value = values[start + i];
            sum += value * value;
        }

        return sum;
    }

    internal struct EmbedArguments
    {
        public Rows Table;
        public ArrayView<int> Tokens;
        public ArrayView<float> Residual;
        public int Features;
    }

    /// <summary>The residual stream under an RMS norm, which is never stored: every output sums the squares again.</summary>
    internal struct Normalized
    {
        public ArrayView<float> Residual;
        public ArrayView<float> Weight;
        public int Features;
        public int Count;
        public float Epsilon;

        /// <summary>A row of a matrix times the normalized residual of a sequence.</summary>
        public readonly float Dot(Rows matrix, int row, int sequence)
        {
            float sum = 0;
            float squares = 0;
            for (int i = 0; i < Features; i++)
            {
                float x = Residual[(sequence * Features) + i];
                squares += x * x;
                sum += matrix[row, i] * x * Weight[i];
            }

            return sum * XMath.Rsqrt((squares / Count) + Epsilon);
        }
    }

    internal struct InputArguments
    {
        public Rows InProj;
        public Normalized Input;
        public ArrayView<float> Bias;
        public ArrayView<float> ConvWeight;
        public ArrayView<float> ConvBias;
        public ArrayView<float> Pool;
        public ArrayView<int> Slots;
        public ArrayView<float> Mixed;
        public ArrayView<float> Gate;
        public long StateLength;
        public long StateOffset;
        public int Convolution;
        public int Channels;
        public int Sequences;
    }

    internal struct ProjectArguments
    {
        public Rows XProj;
        public ArrayView<float> Mixed;
        public ArrayView<float> Projected;
        public int Channels;
        public int Outputs;
        public int Sequences;
    }

    internal struct AdvanceArguments
    {
        public Rows DtProj;
        public ArrayView<float> DtBias;
        public ArrayView<float> A2;
        public ArrayView<float> D;
        public ArrayView<float> Mixed;
        public ArrayView<float> Gate;
        public ArrayView<float> Projected;
        public ArrayView<float> Gated;
        public ArrayView<float> Pool;
        public ArrayView<int> Slots;
        public MixerNorms Norms;
        public long StateLength;
        public long StateOffset;
        public int Channels;
        public int Rank;
        public int States;
        public int Sequences;
    }

    internal struct OutputArguments
    {
        public Rows OutProj;
        public ArrayView<float> Bias;
        public ArrayView<float> Gated;
        public ArrayView<float> Residual;
        public int Channels;
        public int Features;
        public int Sequences;
    }

    internal struct HeadArguments
    {
        public Rows Head;
        public Normalized Input;
        public ArrayView<float> Logits;
        public int Pitch;
        public int Sequences;
    }
}
