using ILGPU;
using Mamba.Managed.ILGPU.Unrolling;

namespace Mamba.Managed.ILGPU.Kernels;

#pragma warning disable CS0162 // Unreachable code: variants of the template set its constants.

/// <content>What a lane reads and writes of its steps, apart from states.</content>
internal static partial class ScanGradientKernels
{
    /// <summary>Reads a lane's steps; those beyond the last token change nothing.</summary>
    [Inlined]
    private static void ReadSteps(
        FastScanGradients work, int at, int left, float bias, float skip, float[] delta, float[] u, float[] input, float[] y, float[] ds)
    {
        for (int q = Unroll.From(0); q < 2; q++)
        {
            Float4 deltas = work.Scan.Delta[at + q], us = work.Scan.U[at + q], gates = work.Scan.Z[at + q], gradients = work.OutputGradient[at + q];
            for (int i = Unroll.From(0); i < 4; i++)
            {
                bool exists = (4 * q) + i < left;
                float found = Elementary.Softplus(deltas[i] + bias), gated = gradients[i] * Elementary.Silu(gates[i]);
                delta[(4 * q) + i] = exists ? found : 0f;
                u[(4 * q) + i] = exists ? us[i] : 0f;
                ds[(4 * q) + i] = exists ? gated : 0f;
                input[(4 * q) + i] = delta[(4 * q) + i] * u[(4 * q) + i];
                y[(4 * q) + i] = StateWarps == 1 ? skip * u[(4 * q) + i] : 0f;
            }
        }
    }

    /// <summary>Brings a lane's steps of the next chunk near: there are no registers to read them ahead.</summary>
    [Inlined]
    private static void Prefetch(FastScanGradients work, int at)
    {
        Ptx.Prefetch(work.DeltaAddress + (at * 16L));
        Ptx.Prefetch(work.UAddress + (at * 16L));
        Ptx.Prefetch(work.ZAddress + (at * 16L));
        Ptx.Prefetch(work.OutputGradientAddress + (at * 16L));
    }

    /// <summary>The steps of a lane beyond the last token.</summary>
    [Inlined]
    private static void NoSteps(float[] delta, float[] u, float[] input, float[] y, float[] ds)
    {
        for (int t = Unroll.From(0); t < Steps; t++)
        {
            delta[t] = 0f;
            u[t] = 0f;
            ds[t] = 0f;
            input[t] = 0f;
            y[t] = 0f;
        }
    }

    /// <summary>Adds the sums of the two warps that share states; each keeps those of half of its steps, the first half in <c>y[0..4]</c> and so on.</summary>
    [Inlined]
    private static void Exchange(ArrayView<Float4> terms, int part, float[] y, float[] decayGradient, float[] inputGradient)
    {
        int thread = Group.IdxX, other = thread ^ (Threads / 2);
        Float4 sentY = default, sentDecay = default, sentInput = default;
        bool second = part != 0;
        for (int i = Unroll.From(0); i < 4; i++)
        {
            sentY[i] = second ? y[i] : y[i + 4];
            sentDecay[i] = second ? decayGradient[i] : decayGradient[i + 4];
            sentInput[i] = second ? inputGradient[i] : inputGradient[i + 4];
        }

        terms[thread] = sentY;
        terms[Threads + thread] = sentDecay;
        terms[(2 * Threads) + thread] = sentInput;
        Group.Barrier();
        Float4 foundY = terms[other], foundDecay = terms[Threads + other], foundInput = terms[(2 * Threads) + other];
        Group.Barrier();
        for (int i = Unroll.From(0); i < 4; i++)
        {
            y[i] = (second ? y[i + 4] : y[i]) + foundY[i];
            decayGradient[i] = (second ? decayGradient[i + 4] : decayGradient[i]) + foundDecay[i];
            inputGradient[i] = (second ? inputGradient[i + 4] : inputGradient[i]) + foundInput[i];
        }
    }

    /// <summary>Writes the gradients of four steps, and returns their sum of the bias' gradient.</summary>
    /// <remarks>They are the q-th four of a lane's; where two warps share states, the four of this warp's part, whose sums are the first four.</remarks>
    [Inlined]
    private static float Finish(
        FastScanGradients work,
        int at,
        int left,
        int q,
        int part,
        float bias,
        float skip,
        float[] delta,
        float[] u,
        float[] y,
        float[] ds,
        float[] decayGradient,
        float[] inputGradient)
    {
        Float4 ofU = default, ofDelta = default, ofZ = default;
        Float4 deltas = work.Scan.Delta[at], gates = work.Scan.Z[at], gradients = work.OutputGradient[at];
        float sum = 0f;
        for (int i = Unroll.From(0); i < 4; i++)
        {
            bool second = StateWarps > 1 && part != 0;
            float ownU = second ? u[i + 4] : u[(4 * q) + i], ownDelta = second ? delta[i + 4] : delta[(4 * q) + i], ownDs = second ? ds[i + 4] : ds[(4 * q) + i];
            float sigmoid = Elementary.Sigmoid(gates[i]), ownY = StateWarps > 1 ? y[(4 * q) + i] + (skip * ownU) : y[(4 * q) + i];
            float ofStep = ((decayGradient[(4 * q) + i] * Elementary.Ln2) + (ownU * inputGradient[(4 * q) + i])) * Elementary.Sigmoid(deltas[i] + bias);
            float ofInput = (ownDs * skip) + (ownDelta * inputGradient[(4 * q) + i]), ofGate = gradients[i] * ownY * Elementary.SiluSlope(gates[i], sigmoid);
            ofU[i] = i < left ? ofInput : 0f;
            ofDelta[i] = i < left ? ofStep : 0f;
            ofZ[i] = i < left ? ofGate : 0f;
            sum += ofDelta[i];
        }

        work.InputGradient[at] = ofU;
        work.DeltaGradient[at] = ofDelta;
        work.GateGradient[at] = ofZ;
        return sum;
    }
}
