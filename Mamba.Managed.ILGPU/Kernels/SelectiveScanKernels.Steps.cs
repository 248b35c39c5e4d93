using ILGPU;
using ILGPU.Algorithms;
using Mamba.Managed.ILGPU.Unrolling;

namespace Mamba.Managed.ILGPU.Kernels;

#pragma warning disable CS0162 // Unreachable code: variants of the template set its constants.

/// <content>The steps of one chunk.</content>
internal static partial class SelectiveScanKernels
{
    /// <summary>Reads delta and u of a lane's own steps before they are needed.</summary>
    [Inlined]
    private static void ReadAhead(FastScan scan, int unit, int left, ref FourNumbers nextDelta, ref FourNumbers nextU)
    {
        if (left > 0)
        {
            FourNumbers.Read(scan.Delta, unit, IsBFloat16, ref nextDelta);
            FourNumbers.Read(scan.U, unit, IsBFloat16, ref nextU);
        }
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

    /// <summary>Hands every lane of a channel the delta and delta u of its steps.</summary>
    [Inlined]
    private static void Share(
        ArrayView<Float4> steps, int stepUnit, int timeLane, int stateLane, Float4 ownDelta, Float4 ownInput, float[] delta, float[] input)
    {
        ArrayView<Float4> place = steps.SubView(stepUnit + (timeLane * (Steps / 4)), StepUnits + (Steps / 4));
        Warp.Barrier();
        place[stateLane] = ownDelta;
        place[StepUnits + stateLane] = ownInput;
        Warp.Barrier();
        for (int q = Unroll.From(0); q < Steps / 4; q++)
        {
            Float4 deltas = place[q], inputs = place[StepUnits + q];
            for (int i = Unroll.From(0); i < 4; i++)
            {
                delta[(4 * q) + i] = deltas[i];
                input[(4 * q) + i] = inputs[i];
            }
        }
    }

    /// <summary>The sum of delta over a lane's steps.</summary>
    [Inlined]
    private static float Total(Float4 ownDelta)
    {
        float total = 0f;
        if (TimeLanes > 1)
        {
            total = (ownDelta.X + ownDelta.Y) + (ownDelta.Z + ownDelta.W);
            total += Warp.ShuffleXor(total, 1);
            total += Warp.ShuffleXor(total, 2);
        }

        return total;
    }

    /// <summary>Where a sequence's state begins in the pool.</summary>
    private static long State(FastScan scan, Segment segment) => (segment.Slot * scan.StateLength) + scan.StateOffset;

    /// <summary>Where h before a step is saved.</summary>
    private static int SavedState(FastScan scan, Segment segment, int step, int channel, int state)
    {
        int chunk = (segment.Start / ScanArguments.ChunkLength) + Grid.IdxY + (step / ScanArguments.ChunkLength);
        return (((chunk * scan.Channels) + channel) * scan.States) + state;
    }

    /// <summary>Takes a lane's states through its steps.</summary>
    [Inlined]
    private static void Run(ArrayView<Float4> tile, float[] delta, float[] input, float[] sums, ref Float4 h, Float4 a2)
    {
        for (int i = Unroll.From(0); i < 4; i++)
        {
            for (int q = Unroll.From(0); q < Steps / 4; q++)
            {
                Float4 b = tile[(i * StateLanes * TilePitch) + q], c = tile[((16 + (i * StateLanes)) * TilePitch) + q];
                for (int j = Unroll.From(0); j < 4; j++)
                {
                    h[i] = (XMath.Exp2(delta[(4 * q) + j] * a2[i]) * h[i]) + (input[(4 * q) + j] * b[j]);
                    sums[(4 * q) + j] += h[i] * c[j];
                }
            }
        }
    }

    /// <summary>Folds a lane's steps for some of its states, from the i-th, and finds the states before its first step; h becomes that after the last lane's.</summary>
    [Inlined]
    private static void Fold(
        ArrayView<Float4> tile,
        float[] delta,
        float[] input,
        float total,
        int i,
        ref Float4 h,
        Float4 a2,
        int lane,
        int timeLane,
        float[,] decays,
        float[,] terms,
        float[] states)
    {
        float[] fold = new float[Together], product = new float[Together];
        for (int k = Unroll.From(0); k < Together; k++)
        {
            for (int q = Unroll.From(0); q < Steps / 4; q++)
            {
                Float4 b = tile[((i + k) * StateLanes * TilePitch) + q];
                for (int j = Unroll.From(0); j < 4; j++)
                {
                    decays[k, (4 * q) + j] = XMath.Exp2(delta[(4 * q) + j] * a2[i + k]);
                    terms[k, (4 * q) + j] = input[(4 * q) + j] * b[j];
                }
            }

            fold[k] = terms[k, 0];
            for (int t = Unroll.From(1); t < Steps; t++)
            {
                fold[k] = (decays[k, t] * fold[k]) + terms[k, t];
            }

            product[k] = XMath.Exp2(total * a2[i + k]);
        }

        for (int distance = Unroll.From(1); distance < TimeLanes; distance *= 2)
        {
            for (int k = Unroll.From(0); k < Together; k++)
            {
                float earlierFold = Warp.ShuffleUp(fold[k], distance * StateLanes), earlierProduct = Warp.ShuffleUp(product[k], distance * StateLanes);
                if (timeLane >= distance)
                {
                    fold[k] = (product[k] * earlierFold) + fold[k];
                    product[k] *= earlierProduct;
                }
            }
        }

        for (int k = Unroll.From(0); k < Together; k++)
        {
            float earlierFold = Warp.ShuffleUp(fold[k], StateLanes), earlierProduct = Warp.ShuffleUp(product[k], StateLanes);
            states[k] = timeLane == 0 ? h[i + k] : (earlierProduct * h[i + k]) + earlierFold;
            h[i + k] = Warp.Shuffle((product[k] * h[i + k]) + fold[k], lane | (StateLanes * (TimeLanes - 1)));
        }
    }

    /// <summary>Takes some of a lane's states, from the i-th, through its steps with the decays and terms of <see cref="Fold"/>.</summary>
    [Inlined]
    private static void RunAgain(ArrayView<Float4> tile, int i, float[,] decays, float[,] terms, float[] states, float[] sums)
    {
        for (int q = Unroll.From(0); q < Steps / 4; q++)
        {
            for (int k = Unroll.From(0); k < Together; k++)
            {
                Float4 c = tile[((16 + ((i + k) * StateLanes)) * TilePitch) + q];
                for (int j = Unroll.From(0); j < 4; j++)
                {
                    states[k] = (decays[k, (4 * q) + j] * states[k]) + terms[k, (4 * q) + j];
                    sums[(4 * q) + j] += states[k] * c[j];
                }
            }
        }
    }

    /// <summary>Adds the sums of the four lanes that share a channel's states; each lane gets the four steps that are its own.</summary>
    /// <remarks>First lanes two apart exchange halves of their 16 steps, then neighbors halves of what is left.</remarks>
    [Inlined]
    private static Float4 OwnSums(float[] sums, int stateLane)
    {
        bool late = (stateLane & 2) != 0, odd = (stateLane & 1) != 0;
        float[] half = new float[8];
        Float4 own = default;
        for (int t = Unroll.From(0); t < 8; t++)
        {
            half[t] = (late ? sums[t + 8] : sums[t]) + Warp.ShuffleXor(late ? sums[t] : sums[t + 8], 2);
        }

        for (int t = Unroll.From(0); t < 4; t++)
        {
            own[t] = (odd ? half[t + 4] : half[t]) + Warp.ShuffleXor(odd ? half[t] : half[t + 4], 1);
        }

        return own;
    }

    /// <summary>Writes y of a lane's own steps; a unit that begins before the end of the padding belongs to this sequence.</summary>
    [Inlined]
    private static void Finish(FastScan scan, Segment segment, float[] sums, int stateLane, int unit, int step, bool exists, float skip, Float4 ownU, FourNumbers gate)
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

        Float4 y = OwnSums(sums, stateLane), z = FourNumbers.Widen(gate, IsBFloat16);
        for (int i = Unroll.From(0); i < 4; i++)
        {
            float gated = (y[i] + (skip * u[i])) * Elementary.Silu(z[i]);
            y[i] = i < left ? gated : 0f;
        }

        if (exists && step < ((segment.Length + Padding.Sequence - 1) & -Padding.Sequence))
        {
            FourNumbers.Write(scan.Y, unit, y, IsBFloat16);
        }
    }
}
