using ILGPU;

namespace Mamba.Managed.ILGPU.Decode;

/// <summary>The likeliest token of each sequence, of equal ones the first. A group has a sequence.</summary>
internal static class LikeliestKernel
{
    public const int Threads = 1024;

    public static void Run(Arguments arguments)
    {
        ArrayView<float> best = SharedMemory.Allocate<float>(Threads);
        ArrayView<int> places = SharedMemory.Allocate<int>(Threads);
        int thread = Group.IdxX;
        long row = (long)Grid.IdxX * arguments.Pitch;
        float value = float.NegativeInfinity;
        int place = 0;
        for (int i = thread; i < arguments.Vocabulary; i += Threads)
        {
            float logit = arguments.Logits[row + i];
            if (logit > value)
            {
                value = logit;
                place = i;
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
