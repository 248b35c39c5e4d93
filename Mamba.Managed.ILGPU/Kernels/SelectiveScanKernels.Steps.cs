using ILGPU;
using ILGPU.Algorithms;
using ILGPU.Runtime.Cuda;
using Mamba.Managed.ILGPU.Unrolling;

namespace Mamba.Managed.ILGPU.Kernels;

#pragma warning disable CS0162 // Unreachable code: variants of the template set its constants.

/// <content>The steps of one chunk.</content>
internal static partial class SelectiveScanKernels
{
    /// <summary>Reads delta and u of a lane's own steps before they are needed; where there are none, any of the sequence.</summary>
    [Inlined]
    private static void ReadAhead(FastScan scan, int unit, int any, int left, ref FourNumbers nextDelta, ref FourNumbers nextU)
    {
        int found = left > 0 ? unit : any;
        FourNumbers.Read(scan.Delta, found, IsBFloat16, ref nextDelta);
        FourNumbers.Read(scan.U, found, IsBFloat16, ref nextU);
    }

    /// <summary>Prepares a lane's own steps; those beyond the last token change no state.</summary>
    [Inlined]
    private static void Prepare(int left, float bias, ref Float4 ownDelta, ref Float4 ownU, ref Float4 ownInput)
    {
        for (int i = Unroll.From(0); i < 4; i++)
        {
            float found = Elementary.Softplus(ownDelta[i] + bias);
            ownU[i] = i < left ? ownU[i] : 0f;
            ownDelta[i] = i < left ? found : 0f;
            ownInput[i] = ownDelta[i] * ownU[i];
        }
    }

    /// <summary>Reads delta and delta u of a lane's steps, of which other lanes have prepared three quarters.</summary>
    [Inlined]
    private static void ReadShared(ArrayView<Float4> stepsOfLane, float[] delta, float[] input)
    {
        for (int q = Unroll.From(0); q < Steps / 4; q++)
        {
            Float4 deltas = stepsOfLane[q], inputs = stepsOfLane[StepUnits + q];
            for (int i = Unroll.From(0); i < 4; i++)
            {
                delta[(4 * q) + i] = deltas[i];
                input[(4 * q) + i] = inputs[i];
            }
        }
    }

    /// <summary>The sum of delta over a lane's steps.</summary>
    [Inlined]
    private static float Total(float[] delta)
    {
        float[] sums = new float[4];
        for (int i = Unroll.From(0); i < 4; i++)
        {
            sums[i] = (delta[i] + delta[i + 4]) + (delta[i + 8] + delta[i + 12]);
        }

        return (sums[0] + sums[1]) + (sums[2] + sums[3]);
    }

    /// <summary>Where a lane's first state of a channel lies in the pool.</summary>
    private static long State(FastScan scan, Segment segment, int channel, int stateGroup) =>
        (segment.Slot * scan.StateLength) + scan.StateOffset + (channel * scan.States) + stateGroup;

    /// <summary>Where a lane's first state of those before a step is saved.</summary>
    private static int SavedState(FastScan scan, Segment segment, int step, int channel, int state)
    {
        int chunk = (segment.Start / ScanArguments.ChunkLength) + Grid.IdxY + (step / ScanArguments.ChunkLength);
        return (((chunk * scan.Channels) + channel) * scan.States) + state;
    }

    /// <summary>Reads a number of each of a lane's states: every fourth from its first.</summary>
    private static Float4 ReadStates(ArrayView<float> view, long first)
    {
        Float4 states = default;
        states.X = view[first];
        states.Y = view[first + 4];
        states.Z = view[first + 8];
        states.W = view[first + 12];
        return states;
    }

    /// <summary>Writes a lane's states.</summary>
    private static void WriteStates(ArrayView<float> view, long first, Float4 states)
    {
        view[first] = states.X;
        view[first + 4] = states.Y;
        view[first + 8] = states.Z;
        view[first + 12] = states.W;
    }

    /// <summary>Takes a lane's states through its steps.</summary>
    [Inlined]
    private static void Run(ArrayView<Float4> even, ArrayView<Float4> odd, float[] delta, float[] input, float[] sums, ref Float4 h, Float4 a2)
    {
        for (int i = Unroll.From(0); i < 4; i++)
        {
            for (int q = Unroll.From(0); q < Steps / 4; q++)
            {
                Float4 b = Unit(even, odd, 4 * i, q), c = Unit(even, odd, 16 + (4 * i), q);
                for (int j = Unroll.From(0); j < 4; j++)
                {
                    h[i] = (XMath.Exp2(delta[(4 * q) + j] * a2[i]) * h[i]) + (input[(4 * q) + j] * b[j]);
                    sums[(4 * q) + j] += h[i] * c[j];
                }
            }
        }
    }

    /// <summary>Folds a lane's steps for some of its states, from the i-th, and finds the states before its first step.</summary>
    /// <remarks>What lane t needs is the fold of lanes 0 to t - 1 upon h: each takes over the fold of the lane before, and the first lane h, before the prefix.</remarks>
    [Inlined]
    private static void Fold(
        ArrayView<Float4> even,
        ArrayView<Float4> odd,
        float[] delta,
        float[] input,
        float total,
        int i,
        Float4 h,
        Float4 a2,
        int timeLane,
        float[,] decays,
        float[,] terms,
        float[] states)
    {
        float[] product = new float[Together];
        for (int k = Unroll.From(0); k < Together; k++)
        {
            for (int q = Unroll.From(0); q < Steps / 4; q++)
            {
                Float4 b = Unit(even, odd, 4 * (i + k), q);
                for (int j = Unroll.From(0); j < 4; j++)
                {
                    decays[k, (4 * q) + j] = XMath.Exp2(delta[(4 * q) + j] * a2[i + k]);
                    terms[k, (4 * q) + j] = input[(4 * q) + j] * b[j];
                }
            }

            float fold = terms[k, 0];
            for (int t = Unroll.From(1); t < Steps; t++)
            {
                fold = (decays[k, t] * fold) + terms[k, t];
            }

            product[k] = Warp.ShuffleUp(XMath.Exp2(total * a2[i + k]), TimeStride);
            fold = Warp.ShuffleUp(fold, TimeStride);
            states[k] = timeLane == 0 ? h[i + k] : fold;
        }

        for (int distance = Unroll.From(1); distance < TimeLanes; distance *= 2)
        {
            for (int k = Unroll.From(0); k < Together; k++)
            {
                float earlier = Warp.ShuffleUp(states[k], distance * TimeStride), earlierProduct = 0f;
                if (distance < TimeLanes / 2)
                {
                    earlierProduct = Warp.ShuffleUp(product[k], distance * TimeStride);
                }

                if (timeLane >= distance)
                {
                    states[k] = (product[k] * earlier) + states[k];
                    product[k] *= earlierProduct;
                }
            }
        }
    }

    /// <summary>Takes some of a lane's states, from the i-th, through its steps with the decays and terms of <see cref="Fold"/>.</summary>
    [Inlined]
    private static void RunAgain(ArrayView<Float4> even, ArrayView<Float4> odd, int i, float[,] decays, float[,] terms, float[] states, float[] sums)
    {
        for (int q = Unroll.From(0); q < Steps / 4; q++)
        {
            for (int k = Unroll.From(0); k < Together; k++)
            {
                Float4 c = Unit(even, odd, 16 + (4 * (i + k)), q);
                for (int j = Unroll.From(0); j < 4; j++)
                {
                    states[k] = (decays[k, (4 * q) + j] * states[k]) + terms[k, (4 * q) + j];
                    sums[(4 * q) + j] += states[k] * c[j];
                }
            }
        }
    }

    /// <summary>Adds the sums of the four lanes that share a channel's states; each lane gets the four steps that are its own.</summary>
    /// <remarks>
    /// Lanes two apart exchange halves of their 16 steps, then neighbors halves of what is left. Where two warps share states, neighbors of a warp come first, and the
    /// warps exchange four steps through shared memory.
    /// </remarks>
    [Inlined]
    private static Float4 OwnSums(ArrayView<Float4> shared, float[] sums, int stateGroup)
    {
        bool late = (stateGroup & 2) != 0, odd = (stateGroup & 1) != 0;
        Float4 own = default;
        if (StateWarps == 1)
        {
            float[] half = new float[8];
            for (int t = Unroll.From(0); t < 8; t++)
            {
                half[t] = (late ? sums[t + 8] : sums[t]) + Warp.ShuffleXor(late ? sums[t] : sums[t + 8], 2 * Twins);
            }

            for (int t = Unroll.From(0); t < 4; t++)
            {
                own[t] = (odd ? half[t + 4] : half[t]) + Warp.ShuffleXor(odd ? half[t] : half[t + 4], Twins);
            }
        }
        else
        {
            Float4 given = default;
            for (int t = Unroll.From(0); t < 4; t++)
            {
                float first = (odd ? sums[t + 4] : sums[t]) + Warp.ShuffleXor(odd ? sums[t] : sums[t + 4], Twins);
                float second = (odd ? sums[t + 12] : sums[t + 8]) + Warp.ShuffleXor(odd ? sums[t + 8] : sums[t + 12], Twins);
                own[t] = late ? second : first;
                given[t] = late ? first : second;
            }

            shared[ExchangeStart + Group.IdxX] = given;
            Group.Barrier();
            Float4 taken = shared[ExchangeStart + (Group.IdxX ^ 32)];
            for (int t = Unroll.From(0); t < 4; t++)
            {
                own[t] += taken[t];
            }
        }

        return own;
    }

    /// <summary>Writes y of a lane's own steps; a unit that begins before the end of the padding belongs to this sequence.</summary>
    [Inlined]
    private static void Finish(FastScan scan, Segment segment, Float4 y, int unit, int step, bool exists, float skip, Float4 ownU, FourNumbers gate)
    {
        int left = segment.Length - step;
        Float4 u = TimeLanes == 1 ? default : ownU;
        if (TimeLanes == 1 && left > 0)
        {
            // The cache still has it, and the registers had no place for so long.
            FourNumbers again = default;
            FourNumbers.Read(scan.U, unit, IsBFloat16, ref again);
            u = FourNumbers.Widen(again, IsBFloat16);
        }

        Float4 z = FourNumbers.Widen(gate, IsBFloat16);
        for (int i = Unroll.From(0); i < 4; i++)
        {
            float gated = (y[i] + (skip * u[i])) * Elementary.Silu(z[i]);
            y[i] = i < left ? gated : 0f;
        }

        if (exists && step < ((segment.Length + Padding.Sequence - 1) & -Padding.Sequence))
        {
            if (IsBFloat16 && CudaAsm.IsSupported)
            {
                Ptx.StoreBFloat16(scan.YAddress + (unit * 8L), y.X, y.Y, y.Z, y.W);
            }
            else
            {
                FourNumbers.Write(scan.Y, unit, y, IsBFloat16);
            }
        }
    }
}
