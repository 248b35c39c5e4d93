using ILGPU;
using ILGPU.Algorithms;
using ILGPU.Runtime;
using Mamba.Managed.ILGPU.Kernels;
using Mamba.Managed.ILGPU.Unrolling;

namespace Mamba.Managed.ILGPU.Decode;

#pragma warning disable CS0162 // Unreachable code: variants of the template set its constants.

/// <summary>One token through the scan: delta, states, gate.</summary>
/// <remarks>A group has 64 channels of four sequences. Four neighboring threads share a channel: its row of dt_proj and its states, 16 bytes each in turn.</remarks>
internal static partial class StepAdvanceKernels
{
    public const int Threads = 256;
    public const int Channels = Threads / 4;
    public const int Sequences = 4;

    /// <summary>The most rows of x_proj.</summary>
    public const int MaxProjected = 2048;

    private const bool BFloat16 = false;

    [Unrolled("Float32")]
    [Unrolled("BFloat16Weights", "BFloat16=true")]
    internal static void Template(Arguments arguments)
    {
        ArrayView<Float4> shared = SharedMemory.Allocate<Float4>(Sequences * MaxProjected / 4);
        int first = Grid.IdxY * Sequences;
        int t = Group.IdxX & 3;
        int channel = (Grid.IdxX * Channels) + (Group.IdxX >> 2);
        bool exists = channel < arguments.Channels;
        channel = IntrinsicMath.Min(channel, arguments.Channels - 1);

        int units = arguments.States / 4;
        long[] states = new long[Sequences];
        Float4[] h = new Float4[Sequences];
        for (int s = Unroll.From(0); s < Sequences; s++)
        {
            int slot = IntrinsicMath.Max(arguments.Slot(first + s), 0);
            states[s] = (((slot * arguments.StateLength) + arguments.StateOffset) / 4) + ((long)channel * units);
            h[s] = arguments.Pool[states[s] + t];
        }

        arguments.Collect(shared.Cast<float>(), first);
        Group.Barrier();
        if (arguments.Norms.AreOn)
        {
            arguments.Normalize(shared.Cast<float>());
            Group.Barrier();
        }

        float[] delta = new float[Sequences];
        Project(arguments, shared, channel, t, delta);
        float[] u = new float[Sequences];
        float[] y = new float[Sequences];
        for (int s = Unroll.From(0); s < Sequences; s++)
        {
            delta[s] = Elementary.Softplus(Lanes.SumOfFour(delta[s]) + arguments.DtBias[channel]);
            u[s] = arguments.Mixed[((long)(first + s) * arguments.Channels) + channel];
            y[s] = 0f;
        }

        for (int n = t; n < units; n += 4)
        {
            Float4 a = arguments.A2[(channel * units) + n];
            for (int s = Unroll.From(0); s < Sequences; s++)
            {
                int b = ((s * arguments.Projected) + arguments.Rank) / 4;
                y[s] += Advance(ref h[s], a, shared[b + n], shared[b + units + n], delta[s], u[s]);
                if (exists && arguments.Slot(first + s) >= 0)
                {
                    arguments.Pool[states[s] + n] = h[s];
                }

                if (n + 4 < units)
                {
                    h[s] = arguments.Pool[states[s] + n + 4];
                }
            }
        }

        for (int s = Unroll.From(0); s < Sequences; s++)
        {
            float sum = Lanes.SumOfFour(y[s]) + (arguments.D[channel] * u[s]);
            if (exists && t == 0 && first + s < arguments.Sequences)
            {
                long index = ((long)(first + s) * arguments.Channels) + channel;
                arguments.Gated[index] = sum * Elementary.Silu(arguments.Gate[index]);
            }
        }
    }

    /// <summary>A thread's part of the channel's row of dt_proj times each sequence's dt.</summary>
    [Inlined]
    private static void Project(Arguments arguments, ArrayView<Float4> shared, int channel, int t, float[] delta)
    {
        for (int s = Unroll.From(0); s < Sequences; s++)
        {
            delta[s] = 0f;
        }

        long row = (long)channel * arguments.DtPitch;
        for (int k = t; k < arguments.Rank / (BFloat16 ? 8 : 4); k += 4)
        {
            Float4 weights = arguments.DtProj[row + k];
            for (int s = Unroll.From(0); s < Sequences; s++)
            {
                int dt = s * arguments.Projected / 4;
                if (BFloat16)
                {
                    delta[s] += BFloat16Pairs.Dot(weights, shared[dt + (2 * k)], shared[dt + (2 * k) + 1]);
                }
                else
                {
                    Float4 x = shared[dt + k];
                    delta[s] += (weights.X * x.X) + (weights.Y * x.Y) + (weights.Z * x.Z) + (weights.W * x.W);
                }
            }
        }
    }

    /// <summary>Moves four states on, h = exp2(delta a2) h + delta u B; their share of C h.</summary>
    [Inlined]
    private static float Advance(ref Float4 h, Float4 a, Float4 b, Float4 c, float delta, float u)
    {
        float input = delta * u;
        h.X = (XMath.Exp2(delta * a.X) * h.X) + (input * b.X);
        h.Y = (XMath.Exp2(delta * a.Y) * h.Y) + (input * b.Y);
        h.Z = (XMath.Exp2(delta * a.Z) * h.Z) + (input * b.Z);
        h.W = (XMath.Exp2(delta * a.W) * h.W) + (input * b.W);
        return (h.X * c.X) + (h.Y * c.Y) + (h.Z * c.Z) + (h.W * c.W);
    }

    internal struct Arguments
    {
        /// <summary>[parts, sequences, rank + 2 * states]: sums of x_proj over a part of the channels each.</summary>
        public ArrayView<float> Sums;

        /// <summary>[channels, rank]</summary>
        public ArrayView<Float4> DtProj;

        public ArrayView<float> DtBias;

        /// <summary>[channels, states]</summary>
        public ArrayView<Float4> A2;

        public ArrayView<float> D;

        /// <summary>[sequences, channels]</summary>
        public ArrayView<float> Mixed;

        /// <summary>[sequences, channels]</summary>
        public ArrayView<float> Gate;

        /// <summary>[sequences, channels]</summary>
        public ArrayView<float> Gated;

        public ArrayView<Float4> Pool;

        /// <summary>[sequences]: negative for a sequence that is not there.</summary>
        public ArrayView<int> Slots;

        public MixerNorms Norms;

        /// <summary>Numbers of a sequence's state.</summary>
        public long StateLength;

        /// <summary>Where the layer's ssm_state begins in it.</summary>
        public long StateOffset;

        /// <summary>16-byte units from one row of dt_proj to the next.</summary>
        public int DtPitch;

        public int Channels;
        public int Rank;
        public int States;
        public int Projected;
        public int Parts;

        /// <summary>Sequences, those that are not there included.</summary>
        public int Sequences;

        /// <summary>Sequences from one part to the next.</summary>
        public int PartSequences;

        public readonly int Slot(int sequence) => sequence < Sequences ? Slots[sequence] : -1;

        /// <summary>Adds up the parts of x_proj for the group's sequences.</summary>
        public readonly void Collect(ArrayView<float> shared, int first)
        {
            for (int i = Group.IdxX; i < StepAdvanceKernels.Sequences * Projected; i += Threads)
            {
                float sum = 0;
                for (int part = 0; part < Parts; part++)
                {
                    sum += Sums[((((long)part * PartSequences) + first) * Projected) + i];
                }

                shared[i] = sum;
            }
        }

        /// <summary>Falcon-Mamba's norms; a warp takes dt, B or C of a sequence in turn.</summary>
        public readonly void Normalize(ArrayView<float> shared)
        {
            int lane = Group.IdxX & 31;
            for (int i = Group.IdxX >> 5; i < 3 * StepAdvanceKernels.Sequences; i += Threads / 32)
            {
                int kind = i % 3;
                int start = (i / 3 * Projected) + (kind == 0 ? 0 : kind == 1 ? Rank : Rank + States);
                int length = kind == 0 ? Rank : States;
                float squares = 0;
                for (int k = lane; k < length; k += 32)
                {
                    squares += shared[start + k] * shared[start + k];
                }

                squares = Lanes.Sum(squares);
                float scale = kind == 0 ? Norms.RankScale(squares) : Norms.StateScale(squares);
                for (int k = lane; k < length; k += 32)
                {
                    shared[start + k] *= scale;
                }
            }
        }
    }
}
