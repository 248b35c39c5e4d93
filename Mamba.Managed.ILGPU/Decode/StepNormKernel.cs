using ILGPU;
using ILGPU.Algorithms;
using ILGPU.Runtime;
using Mamba.Managed.ILGPU.Kernels;

namespace Mamba.Managed.ILGPU.Decode;

/// <summary>The residual stream between two layers: takes the token's embedding or the output projection's parts, and normalizes.</summary>
/// <remarks>A group has a sequence.</remarks>
internal static class StepNormKernel
{
    public const int Threads = 256;

    public static void Run(Arguments arguments)
    {
        ArrayView<float> squares = SharedMemory.Allocate<float>(Threads / 32);
        int sequence = Grid.IdxX;
        long start = (long)sequence * arguments.Features;
        float sum = 0;
        for (int i = Group.IdxX; i < arguments.Features; i += Threads)
        {
            float value = arguments.Parts == 0 ? arguments.Embedded(sequence, i) : arguments.Residual[start + i] + arguments.Output(sequence, i);
            arguments.Residual[start + i] = value;
            sum += value * value;
        }

        sum = Lanes.Sum(sum);
        if ((Group.IdxX & 31) == 0)
        {
            squares[Group.IdxX >> 5] = sum;
        }

        Group.Barrier();
        float total = 0;
        for (int i = 0; i < Threads / 32; i++)
        {
            total += squares[i];
        }

        float scale = XMath.Rsqrt((total / arguments.Count) + arguments.Epsilon);
        for (int i = Group.IdxX; i < arguments.Features; i += Threads)
        {
            arguments.Normalized[start + i] = arguments.Residual[start + i] * scale * arguments.Weight[i];
        }
    }

    internal struct Arguments
    {
        /// <summary>[vocabulary, features]</summary>
        public ArrayView<Float4> Table;

        public ArrayView<int> Tokens;

        /// <summary>[sequences, features]</summary>
        public ArrayView<float> Residual;

        /// <summary>[parts, sequences, features]: sums of the output projection over a part of the channels each.</summary>
        public ArrayView<float> Sums;

        /// <summary>[features]: the output projection's bias, or empty.</summary>
        public ArrayView<float> Bias;

        /// <summary>[features]: the scale of the norm.</summary>
        public ArrayView<float> Weight;

        /// <summary>[sequences, features]</summary>
        public ArrayView<float> Normalized;

        /// <summary>Entries from one row of the table to the next.</summary>
        public int TablePitch;

        /// <summary>Not 0 if the table is bfloat16.</summary>
        public int IsBFloat16;

        /// <summary>0 before the first layer, where the residual is the token's embedding.</summary>
        public int Parts;

        /// <summary>Sequences from one part to the next.</summary>
        public int Sequences;

        public int Features;

        /// <summary>d_model: features without those that fill up.</summary>
        public int Count;

        public float Epsilon;

        public readonly float Embedded(int sequence, int feature)
        {
            long index = ((long)Tokens[sequence] * TablePitch) + feature;
            return IsBFloat16 != 0 ? Interop.IntAsFloat((uint)Table.Cast<ushort>()[index] << 16) : Table.Cast<float>()[index];
        }

        public readonly float Output(int sequence, int feature)
        {
            float sum = Bias.Length > 0 ? Bias[feature] : 0f;
            for (int part = 0; part < Parts; part++)
            {
                sum += Sums[(((long)((part * Sequences) + sequence)) * Features) + feature];
            }

            return sum;
        }
    }
}
