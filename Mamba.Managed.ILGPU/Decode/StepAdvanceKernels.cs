using ILGPU;
using ILGPU.Algorithms;
using ILGPU.Runtime;
using Mamba.Managed.ILGPU.Kernels;
using Mamba.Managed.ILGPU.Unrolling;

namespace Mamba.Managed.ILGPU.Decode;

#pragma warning disable CS0162 // Unreachable code: variants of the template set its constants.

/// <summary>One token through the scan: delta, states, gate.</summary>
/// <remarks>
/// A group has 64 channels of four sequences. Four neighboring threads share a channel: its row of dt_proj and its states, 16 bytes each in turn. What
/// published models have of both is read before the kernel before is waited for.
/// </remarks>
internal static partial class StepAdvanceKernels
{
    public const int Threads = 256;

    /// <summary>Groups that share a multiprocessor.</summary>
    public const int Groups = 2;

    public const int Channels = Threads / 4;
    public const int Sequences = 4;

    /// <summary>The most rows of x_proj.</summary>
    public const int MaxProjected = 2048;

    /// <summary>The most parts of x_proj.</summary>
    public const int MostParts = 8;

    private const bool BFloat16 = false;

    /// <summary>Units of 16 bytes of a row of dt_proj that a thread reads ahead.</summary>
    private const int Ahead = BFloat16 ? 2 : 4;

    /// <summary>Weights in such a unit.</summary>
    private const int UnitWeights = BFloat16 ? 8 : 4;

    [Unrolled("Float32")]
    [Unrolled("BFloat16Weights", "BFloat16=true")]
    internal static void Template(Arguments arguments)
    {
        Overlap.LetNextBegin();
        ArrayView<Float4> shared = SharedMemory.Allocate<Float4>(Sequences * MaxProjected / 4);
        int first = Grid.IdxY * Sequences;
        int t = Group.IdxX & 3;
        int channel = (Grid.IdxX * Channels) + (Group.IdxX >> 2);
        bool exists = channel < arguments.Channels;
        channel = IntrinsicMath.Min(channel, arguments.Channels - 1);

        int units = arguments.States / 4;
        int[] slots = new int[Sequences];
        long[] states = new long[Sequences];
        Float4[] h = new Float4[Sequences];
        for (int s = Unroll.From(0); s < Sequences; s++)
        {
            slots[s] = arguments.Slot(first + s);
            states[s] = (((IntrinsicMath.Max(slots[s], 0) * arguments.StateLength) + arguments.StateOffset) / 4) + ((long)channel * units);
            h[s] = arguments.Pool[states[s] + t];
        }

        Float4[] weights = new Float4[Ahead];
        LoadWeights(arguments, channel, t, weights);
        Float4 a = arguments.A2[(channel * units) + t];
        float bias = arguments.DtBias[channel];
        float skip = arguments.D[channel];
        Overlap.WaitForPrevious();

        float[] u = new float[Sequences];
        float[] gate = new float[Sequences];
        for (int s = Unroll.From(0); s < Sequences; s++)
        {
            long index = ((long)(first + s) * arguments.Channels) + channel;
            u[s] = arguments.Mixed[index];
            gate[s] = arguments.Gate[index];
        }

        Collect(arguments, shared, first);
        Group.Barrier();
        if (arguments.Norms.AreOn)
        {
            arguments.Normalize(shared.Cast<float>());
            Group.Barrier();
        }

        float[] delta = new float[Sequences];
        float[] y = new float[Sequences];
        Project(arguments, shared, channel, t, weights, delta);
        for (int s = Unroll.From(0); s < Sequences; s++)
        {
            delta[s] = Elementary.Softplus(Lanes.SumOfFour(delta[s]) + bias);
            y[s] = 0f;
        }

        for (int n = t; n < units; n += 4)
        {
            for (int s = Unroll.From(0); s < Sequences; s++)
            {
                int b = ((s * arguments.Projected) + arguments.Rank) / 4;
                y[s] += Advance(ref h[s], a, shared[b + n], shared[b + units + n], delta[s], u[s]);
                if (exists && slots[s] >= 0)
                {
                    arguments.Pool[states[s] + n] = h[s];
                }

                if (n + 4 < units)
                {
                    h[s] = arguments.Pool[states[s] + n + 4];
                }
            }

            if (n + 4 < units)
            {
                a = arguments.A2[(channel * units) + n + 4];
            }
        }

        for (int s = Unroll.From(0); s < Sequences; s++)
        {
            float sum = Lanes.SumOfFour(y[s]) + (skip * u[s]);
            if (exists && t == 0 && first + s < arguments.Sequences)
            {
                arguments.Gated[((long)(first + s) * arguments.Channels) + channel] = sum * Elementary.Silu(gate[s]);
            }
        }
    }

    /// <summary>Reads the first units of a thread's part of the channel's row of dt_proj.</summary>
    [Inlined]
    private static void LoadWeights(Arguments arguments, int channel, int t, Float4[] weights)
    {
        for (int i = Unroll.From(0); i < Ahead; i++)
        {
            int k = t + (4 * i);
            weights[i] = default;
            if (k < arguments.Rank / UnitWeights)
            {
                weights[i] = arguments.DtProj[((long)channel * arguments.DtPitch) + k];
            }
        }
    }

    /// <summary>Adds up the parts of x_proj for the group's sequences; all parts of a number are read before the first is used.</summary>
    [Inlined]
    private static void Collect(Arguments arguments, ArrayView<Float4> shared, int first)
    {
        int pitch = arguments.PartSequences * arguments.Projected / 4;
        int start = first * arguments.Projected / 4;
        for (int i = Group.IdxX; i < Sequences * arguments.Projected / 4; i += Threads)
        {
            Float4[] parts = new Float4[MostParts];
            for (int part = Unroll.From(0); part < MostParts; part++)
            {
                parts[part] = default;
                if (part < arguments.Parts)
                {
                    parts[part] = arguments.Sums[start + i + (part * pitch)];
                }
            }

            Float4 sum = default;
            for (int part = Unroll.From(0); part < MostParts; part++)
            {
                sum.X += parts[part].X;
                sum.Y += parts[part].Y;
                sum.Z += parts[part].Z;
                sum.W += parts[part].W;
            }

            shared[i] = sum;
        }
    }

    /// <summary>A thread's part of the channel's row of dt_proj times each sequence's dt.</summary>
    [Inlined]
    private static void Project(Arguments arguments, ArrayView<Float4> shared, int channel, int t, Float4[] weights, float[] delta)
    {
        int units = arguments.Rank / UnitWeights;
        for (int s = Unroll.From(0); s < Sequences; s++)
        {
            delta[s] = 0f;
        }

        for (int i = Unroll.From(0); i < Ahead; i++)
        {
            // Weights beyond the row are zero.
            AddProducts(arguments, shared, IntrinsicMath.Min(t + (4 * i), units - 1), weights[i], delta);
        }

        for (int k = t + (4 * Ahead); k < units; k += 4)
        {
            AddProducts(arguments, shared, k, arguments.DtProj[((long)channel * arguments.DtPitch) + k], delta);
        }
    }

    /// <summary>A unit of the row times the numbers of each sequence's dt that belong to it.</summary>
    [Inlined]
    private static void AddProducts(Arguments arguments, ArrayView<Float4> shared, int unit, Float4 weights, float[] delta)
    {
        for (int s = Unroll.From(0); s < Sequences; s++)
        {
            int dt = s * arguments.Projected / 4;
            if (BFloat16)
            {
                delta[s] += BFloat16Pairs.Dot(weights, shared[dt + (2 * unit)], shared[dt + (2 * unit) + 1]);
            }
            else
            {
                Float4 x = shared[dt + unit];
                delta[s] += (weights.X * x.X) + (weights.Y * x.Y) + (weights.Z * x.Z) + (weights.W * x.W);
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
        public ArrayView<Float4> Sums;

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

        /// <summary>At most <see cref="MostParts"/>.</summary>
        public int Parts;

        /// <summary>Sequences, those that are not there included.</summary>
        public int Sequences;

        /// <summary>Sequences from one part to the next.</summary>
        public int PartSequences;

        public readonly int Slot(int sequence) => sequence < Sequences ? Slots[sequence] : -1;

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
