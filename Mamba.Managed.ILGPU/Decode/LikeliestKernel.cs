using ILGPU;
using Mamba.Managed.ILGPU.Kernels;
using Mamba.Managed.ILGPU.Unrolling;

namespace Mamba.Managed.ILGPU.Decode;

/// <summary>The likeliest token of each sequence, of equal ones the first. A group has a sequence.</summary>
internal static partial class LikeliestKernel
{
    public const int Threads = 1024;

    /// <summary>Units of four logits that a thread has on their way.</summary>
    private const int Depth = 4;

    [Unrolled("Run")]
    internal static void Template(Arguments arguments)
    {
        ArrayView<float> best = SharedMemory.Allocate<float>(Threads);
        ArrayView<int> places = SharedMemory.Allocate<int>(Threads);
        int thread = Group.IdxX;
        ArrayView<Float4> row = arguments.Logits.SubView((long)Grid.IdxX * arguments.Pitch, arguments.Pitch).Cast<Float4>();
        float value = float.NegativeInfinity;
        int place = 0;
        for (int start = thread; start * 4 < arguments.Vocabulary; start += Threads * Depth)
        {
            Float4[] logits = new Float4[Depth];
            for (int i = Unroll.From(0); i < Depth; i++)
            {
                logits[i] = row[IntrinsicMath.Min(start + (i * Threads), (arguments.Pitch / 4) - 1)];
            }

            for (int i = Unroll.From(0); i < Depth; i++)
            {
                for (int k = Unroll.From(0); k < 4; k++)
                {
                    int token = ((start + (i * Threads)) * 4) + k;
                    if (token < arguments.Vocabulary && logits[i][k] > value)
                    {
                        value = logits[i][k];
                        place = token;
                    }
                }
            }
        }

        best[thread] = value;
        places[thread] = place;
        Group.Barrier();
        for (int half = Threads / 2; half > 0; half /= 2)
        {
            if (thread < half && (best[thread + half] > best[thread] || (best[thread + half] == best[thread] && places[thread + half] < places[thread])))
            {
                best[thread] = best[thread + half];
                places[thread] = places[thread + half];
            }

            Group.Barrier();
        }

        if (thread == 0)
        {
            arguments.Tokens[Grid.IdxX] = places[0];
        }
    }

    internal struct Arguments
    {
        /// <summary>[sequences, pitch]</summary>
        public ArrayView<float> Logits;

        /// <summary>[sequences]</summary>
        public ArrayView<int> Tokens;

        public int Pitch;
        public int Vocabulary;
    }
}
