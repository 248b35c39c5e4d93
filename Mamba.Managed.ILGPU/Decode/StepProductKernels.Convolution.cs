using ILGPU;
using Mamba.Managed.ILGPU.Kernels;
using Mamba.Managed.ILGPU.Unrolling;

namespace Mamba.Managed.ILGPU.Decode;

/// <summary>What the input projection goes on to: the convolution and SiLU of the scan's half. All outputs of a thread are of one channel.</summary>
internal static partial class StepProductKernels
{
    /// <summary>Reads the thread's channel's weights, and its last inputs of each of the thread's sequences.</summary>
    [Inlined]
    private static void LoadConvolution(StepConvolution convolution, int channel, int[] slots, float[] before, float[] taps)
    {
        if (channel < convolution.Channels)
        {
            for (int tokens = Unroll.From(0); tokens <= StepConvolution.Recent; tokens++)
            {
                taps[tokens] = convolution.Tap(channel, tokens);
            }

            for (int k = Unroll.From(0); k < Outputs; k++)
            {
                if (slots[k] >= 0)
                {
                    long place = convolution.Place(slots[k], channel);
                    for (int tokens = Unroll.From(1); tokens <= StepConvolution.Recent; tokens++)
                    {
                        before[(k * StepConvolution.Recent) + tokens - 1] = convolution.Before(place, tokens);
                    }
                }
            }
        }
    }

    /// <summary>Takes one output, moves conv_state on and stores what the scan or the gate gets.</summary>
    [Inlined]
    private static void Store(StepConvolution convolution, int sequence, int slot, int row, float value, float[] before, int k, float[] taps)
    {
        if (convolution.InBias.Length > 0)
        {
            value += convolution.InBias[row];
        }

        long start = (long)sequence * convolution.Channels;
        if (row >= convolution.Channels)
        {
            convolution.Gate[start + row - convolution.Channels] = value;
        }
        else
        {
            long place = convolution.Place(slot, row);
            float sum = convolution.MoveOlder(place, row) + (value * taps[0]);
            convolution.Keep(place, 0, value);
            for (int tokens = Unroll.From(1); tokens <= StepConvolution.Recent; tokens++)
            {
                float older = before[(k * StepConvolution.Recent) + tokens - 1];
                convolution.Keep(place, tokens, older);
                sum += older * taps[tokens];
            }

            sum += convolution.Bias.Length > 0 ? convolution.Bias[row] : 0f;
            convolution.Mixed[start + row] = Elementary.Silu(sum);
        }
    }
}
