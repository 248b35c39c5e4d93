using Mamba.Managed.Checkpoints;
using Mamba.Managed.Kernels;
using Mamba.Managed.Kernels.Simd;
using Mamba.Managed.Threading;

namespace Mamba.Managed.Training;

/// <summary>The parts of a mixer's backward pass that know where a sequence begins.</summary>
internal static unsafe class MixerBackward
{
    /// <summary>Gradients through the scan of this worker's channels.</summary>
    public static void Scan(Worker worker, PassContext pass, BlockPointers block, BlockPointers gradient, float* selection, int layer)
    {
        TrainingWorkspace memory = pass.Workspace;
        (int inner, int states) = (pass.Inner, pass.Config.DState);
        (int start, int end) = pass.ChannelsOf(worker);
        (int firstBlock, int endBlock) = (start / SelectiveScanBackward.BlockChannels, SelectiveScanBackward.Blocks(end));
        float* lanes = memory.Lanes + ((long)worker.Index * SelectiveScanBackward.LanesLength(states));
        for (int i = 0; start < end && i < pass.Sequences.Length; i++)
        {
            TrainingSequence sequence = pass.Sequences[i];
            long row = sequence.Start;
            float* carry = sequence.StateGradient(layer);
            if (carry is null)
            {
                carry = memory.State;
                pass.CopyStates(null, carry, start, end);
            }

            pass.CopyStates(null, memory.AGradient, start, end);
            pass.CopyChannels(null, memory.ChannelSums, 2, start, end);
            SelectiveScanBackward scan = new()
            {
                U = memory.Channels + (row * inner),
                Dt = memory.Dt + (row * inner),
                Bias = block.DtBias,
                Softplus = true,
                Decay = memory.Decay,
                B = selection + (row * pass.Projected) + pass.Config.DtRank,
                C = selection + (row * pass.Projected) + pass.Config.DtRank + states,
                Pitch = pass.Projected,
                D = block.D,
                Z = memory.Gated(layer) + (row * 2 * inner) + inner,
                ZPitch = 2 * inner,
                InitialState = sequence.States is null ? null : memory.Initial(layer) + ((long)i * states * inner),
                Checkpoints = memory.Checkpoints(layer) + ((long)sequence.Checkpoint * states * inner),
                OutputGradient = memory.ScanOutputGradient + (row * inner),
                Y = memory.ScanOutput + (row * inner),
                UGradient = memory.ChannelsGradient + (row * inner),
                DtGradient = memory.DtGradient + (row * inner),
                ZGradient = memory.GatedGradient + (row * 2 * inner) + inner,
                BCGradient = memory.SelectionParts + (row * 2 * states),
                BlockPitch = (long)pass.Rows * 2 * states,
                StateGradient = carry,
                AGradient = memory.AGradient,
                DGradient = memory.ChannelSums,
                BiasGradient = memory.ChannelSums + inner,
                Length = sequence.Length,
                Channels = inner,
                States = states,
            };
            scan.Run(firstBlock, endBlock, lanes);
            for (int c = start; c < end; c++)
            {
                gradient.D[c] += memory.ChannelSums[c];
                gradient.DtBias[c] += memory.ChannelSums[inner + c];
                long at = pass.Panels.Offset(c);
                for (int n = 0; n < states; n++, at += pass.Panels.Pitch(c))
                {
                    // A = -exp(A_log) is its own derivative.
                    gradient.ALog[((long)c * states) + n] += memory.AGradient[at] * (memory.Decay[at] * Elementary.Ln2);
                }
            }
        }
    }

    /// <summary>Gradients of B and C for some rows: the blocks of channels in ascending order.</summary>
    public static void SumSelection(PassContext pass, int start, int end)
    {
        TrainingWorkspace memory = pass.Workspace;
        int count = 2 * pass.Config.DState, blocks = SelectiveScanBackward.Blocks(pass.Inner);
        for (int row = start; row < end; row++)
        {
            Span<float> sum = new(memory.SelectionGradient + ((long)row * pass.Projected) + pass.Config.DtRank, count);
            sum.Clear();
            for (int block = 0; block < blocks; block++)
            {
                long at = (((long)block * pass.Rows) + row) * count;
                System.Numerics.Tensors.TensorPrimitives.Add(sum, new ReadOnlySpan<float>(memory.SelectionParts + at, count), sum);
            }
        }
    }

    /// <summary>Gradients through the RMS of dt, B and C, in place.</summary>
    public static void NormalizeSelection(PassContext pass, int layer, float epsilon, int start, int end)
    {
        (int rank, int states) = (pass.Config.DtRank, pass.Config.DState);
        for (int row = start; row < end; row++)
        {
            float* x = pass.Workspace.Selected(layer) + ((long)row * pass.Projected);
            float* gradient = pass.Workspace.SelectionGradient + ((long)row * pass.Projected);
            RmsNormalizationBackward.Input(x, null, epsilon, gradient, gradient, rank, add: false);
            RmsNormalizationBackward.Input(x + rank, null, epsilon, gradient + rank, gradient + rank, states, add: false);
            RmsNormalizationBackward.Input(x + rank + states, null, epsilon, gradient + rank + states, gradient + rank + states, states, add: false);
        }
    }

    /// <summary>Gradients through the convolution of this worker's channels.</summary>
    public static void Convolve(Worker worker, PassContext pass, BlockPointers block, BlockPointers gradient, int layer)
    {
        TrainingWorkspace memory = pass.Workspace;
        (int inner, int width) = (pass.Inner, pass.Config.DConv);
        (int start, int end) = pass.ChannelsOf(worker);
        for (int i = 0; i < pass.Sequences.Length; i++)
        {
            TrainingSequence sequence = pass.Sequences[i];
            long row = sequence.Start;
            CausalConvolutionBackward convolution = new()
            {
                X = memory.Gated(layer) + (row * 2 * inner),
                XGradient = memory.GatedGradient + (row * 2 * inner),
                Pitch = 2 * inner,
                Weight = memory.ConvWeight,
                Bias = block.ConvBias,
                Window = pass.InitialWindow(layer, i),
                ConvStateGradient = sequence.ConvStateGradient(layer),
                OutputGradient = memory.ChannelsGradient + (row * inner),
                WeightGradient = memory.ConvGradient,
                BiasGradient = memory.ChannelSums,
                Length = sequence.Length,
                Channels = inner,
                Width = width,
            };
            convolution.Run(start, end);
            for (int c = start; c < end; c++)
            {
                for (int j = 0; j < width; j++)
                {
                    gradient.ConvWeight[((long)c * width) + j] += memory.ConvGradient[((long)j * inner) + c];
                }

                if (gradient.ConvBias is not null)
                {
                    gradient.ConvBias[c] += memory.ChannelSums[c];
                }
            }
        }
    }
}
