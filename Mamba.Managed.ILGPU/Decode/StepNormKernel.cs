using ILGPU;
using ILGPU.Algorithms;
using ILGPU.Runtime;
using Mamba.Managed.ILGPU.Kernels;
using Mamba.Managed.ILGPU.Unrolling;

namespace Mamba.Managed.ILGPU.Decode;

/// <summary>The residual stream between two layers: takes the token's embedding or the output projection's parts, and normalizes.</summary>
/// <remarks>A group has a sequence, a thread four features at a time.</remarks>
internal static partial class StepNormKernel
{
    public const int Threads = 256;

    /// <summary>The most parts of the output projection.</summary>
    public const int MostParts = 8;

    [Unrolled("Run")]
    internal static void Template(Arguments arguments)
    {
        Overlap.LetNextBegin();
        ArrayView<float> squares = SharedMemory.Allocate<float>(Threads / 32);
        int units = arguments.Features / 4;
        int start = Grid.IdxX * units;
        Float4 weight = arguments.Weight[IntrinsicMath.Min(Group.IdxX, units - 1)];
        Overlap.WaitForPrevious();

        float sum = 0;
        for (int i = Group.IdxX; i < units; i += Threads)
        {
            Float4 value = default;
            if (arguments.Parts == 0)
            {
                arguments.Embed(Grid.IdxX, i, ref value);
            }
            else
            {
                AddOutput(arguments, start + i, i, ref value);
            }

            arguments.Residual[start + i] = value;
            sum += (value.X * value.X) + (value.Y * value.Y) + (value.Z * value.Z) + (value.W * value.W);
        }

        float total = Total(squares, sum);
        float scale = XMath.Rsqrt((total / arguments.Count) + arguments.Epsilon);
        for (int i = Group.IdxX; i < units; i += Threads)
        {
            Float4 value = arguments.Residual[start + i];
            value.X *= scale * weight.X;
            value.Y *= scale * weight.Y;
            value.Z *= scale * weight.Z;
            value.W *= scale * weight.W;
            arguments.Normalized[start + i] = value;
            weight = arguments.Weight[IntrinsicMath.Min(i + Threads, units - 1)];
        }
    }

    /// <summary>The residual, the bias and the parts of the output projection, all of which are read before the first is used.</summary>
    [Inlined]
    private static void AddOutput(Arguments arguments, int place, int unit, ref Float4 value)
    {
        value = arguments.Residual[place];
        Float4[] parts = new Float4[MostParts];
        for (int part = Unroll.From(0); part < MostParts; part++)
        {
            parts[part] = default;
            if (part < arguments.Parts)
            {
                parts[part] = arguments.Sums[place + (part * arguments.Sequences * (arguments.Features / 4))];
            }
        }

        if (arguments.Bias.Length > 0)
        {
            Add(ref value, arguments.Bias[unit]);
        }

        for (int part = Unroll.From(0); part < MostParts; part++)
        {
            Add(ref value, parts[part]);
        }
    }

    private static void Add(ref Float4 sum, Float4 value)
    {
        sum.X += value.X;
        sum.Y += value.Y;
        sum.Z += value.Z;
        sum.W += value.W;
    }

    /// <summary>The sum over the group.</summary>
    [Inlined]
    private static float Total(ArrayView<float> shared, float value)
    {
        value = Lanes.Sum(value);
        if ((Group.IdxX & 31) == 0)
        {
            shared[Group.IdxX >> 5] = value;
        }

        Group.Barrier();
        float total = 0;
        for (int i = Unroll.From(0); i < Threads / 32; i++)
        {
            total += shared[i];
        }

        return total;
    }

    internal struct Arguments
    {
        /// <summary>[vocabulary, features]</summary>
        public ArrayView<Float4> Table;

        public ArrayView<int> Tokens;

        /// <summary>[sequences, features]</summary>
        public ArrayView<Float4> Residual;

        /// <summary>[parts, sequences, features]: sums of the output projection over a part of the channels each.</summary>
        public ArrayView<Float4> Sums;

        /// <summary>[features]: the output projection's bias, or empty.</summary>
        public ArrayView<Float4> Bias;

        /// <summary>[features]: the scale of the norm.</summary>
        public ArrayView<Float4> Weight;

        /// <summary>[sequences, features]</summary>
        public ArrayView<Float4> Normalized;

        /// <summary>Entries from one row of the table to the next.</summary>
        public int TablePitch;

        /// <summary>Not 0 if the table is bfloat16.</summary>
        public int IsBFloat16;

        /// <summary>0 before the first layer, where the residual is the token's embedding; at most <see cref="MostParts"/>.</summary>
        public int Parts;

        /// <summary>Sequences from one part to the next.</summary>
        public int Sequences;

        /// <summary>A multiple of 4.</summary>
        public int Features;

        /// <summary>d_model: features without those that fill up.</summary>
        public int Count;

        public float Epsilon;

        /// <summary>Four features of a token.</summary>
        public readonly void Embed(int sequence, int unit, ref Float4 value)
        {
            long index = (((long)Tokens[sequence] * TablePitch) / 4) + unit;
            if (IsBFloat16 != 0)
            {
                ulong halves = Table.Cast<ulong>()[index];
                value = FourNumbers.Widen((uint)halves, (uint)(halves >> 32));
            }
            else
            {
                value = Table[index];
            }
        }
    }
}
