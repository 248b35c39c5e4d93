using Mamba.Managed.Checkpoints;
using Mamba.Managed.Kernels;
using Mamba.Managed.Kernels.Simd;
using Mamba.Managed.Threading;

namespace Mamba.Managed.Training;

/// <summary>The parts of a mixer's backward pass that know where a sequence begins.</summary>
internal static unsafe class MixerBackward
{
    /// <summary>Gradients through the scan of this worker's channels.</summary>
    public static void Scan(Worker worker, TrainingStep step, BlockPointers block, BlockPointers gradient, float* selection, int layer)
    {
        TrainingWorkspace memory = step.Workspace;
        (int inner, int states) = (step.Inner, step.Config.DState);
        (int start, int end) = step.ChannelsOf(worker);
        (int firstBlock, int endBlock) = (start / SelectiveScanBackward.BlockChannels, SelectiveScanBackward.Blocks(end));
        float* lanes = memory.Lanes + ((long)worker.Index * SelectiveScanBackward.LanesLength(states));
        for (int i = 0; start < end && i < step.Sequences.Length; i++)
        {
            TrainingSequence sequence = step.Sequences[i];
            long row = sequence.Start;
            float* carry = sequence.StateGradient(layer);
            if (carry is null)
            {
                carry = memory.State;
                step.CopyStates(null, carry, start, end);
            }

            step.CopyStates(null, memory.AGradient, start, end);
            step.CopyChannels(null, memory.ChannelSums, 2, start, end);
            SelectiveScanBackward scan = new()
            {
                U = memory.Channels + (row * inner),
                Dt = memory.Steps + (row * inner),
                Bias = block.DtBias,
                Softplus = true,
                Decay = memory.Decay,
                B = selection + (row * step.Projected) + step.Config.DtRank,
                C = selection + (row * step.Projected) + step.Config.DtRank + states,
                Pitch = step.Projected,
                D = block.D,
                Z = memory.Gated(layer) + (row * 2 * inner) + inner,
                ZPitch = 2 * inner,
                InitialState = sequence.States is null ? null : memory.Initial(layer) + ((long)i * states * inner),
                Checkpoints = memory.Checkpoints(layer) + ((long)sequence.Checkpoint * states * inner),
                OutputGradient = memory.OutputGradient + (row * inner),
                Y = memory.Outputs + (row * inner),
                UGradient = memory.OutputGradient + (row * inner),
                DtGradient = memory.Steps + (row * inner),
                ZGradient = memory.GatedGradient + (row * 2 * inner) + inner,
                BCGradient = memory.SelectionParts + (row * 2 * states),
                BlockPitch = (long)step.Rows * 2 * states,
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
                long at = step.Panels.Offset(c);
                for (int n = 0; n < states; n++, at += step.Panels.Pitch(c))
                {
                    // A = -exp(A_log) is its own derivative.
                    gradient.ALog[((long)c * states) + n] += memory.AGradient[at] * (memory.Decay[at] * Elementary.Ln2);
                }
            }
        }
    }

    /// <summary>Gradients of B and C for some rows: the blocks of channels in ascending order.</summary>
    public static void SumSelection(TrainingStep step, int start, int end)
    {
        TrainingWorkspace memory = step.Workspace;
        int count = 2 * step.Config.DState, blocks = SelectiveScanBackward.Blocks(step.Inner);
        for (int row = start; row < end; row++)
        {
            Span<float> sum = new(memory.BCGradient + ((long)row * step.Projected) + step.Config.DtRank, count);
            sum.Clear();
            for (int block = 0; block < blocks; block++)
            {
                long at = (((long)block * step.Rows) + row) * count;
                System.Numerics.Tensors.TensorPrimitives.Add(sum, new ReadOnlySpan<float>(memory.SelectionParts + at, count), sum);
            }
        }
    }

    /// <summary>Gradients through the RMS of dt, B and C, in place.</summary>
    public static void NormalizeSelection(TrainingStep step, int layer, float epsilon, int start, int end)
    {
        (int rank, int states) = (step.Config.DtRank, step.Config.DState);
        for (int row = start; row < end; row++)
        {
            float* x = step.Workspace.Selected(layer) + ((long)row * step.Projected);
            float* gradient = step.Workspace.BCGradient + ((long)row * step.Projected);
            RmsNormalizationBackward.Input(x, null, epsilon, gradient, gradient, rank, add: false);
            RmsNormalizationBackward.Input(x + rank, null, epsilon, gradient + rank, gradient + rank, states, add: false);
            RmsNormalizationBackward.Input(x + rank + states, null, epsilon, gradient + rank + states, gradient + rank + states, states, add: false);
        }
    }

    /// <summary>Gradients through the convolution of this worker's channels.</summary>
    public static void Convolve(Worker worker, TrainingStep step, BlockPointers block, BlockPointers gradient, int layer)
    {
        TrainingWorkspace memory = step.Workspace;
        (int inner, int width) = (step.Inner, step.Config.DConv);
        (int start, int end) = step.ChannelsOf(worker);
        for (int i = 0; i < step.Sequences.Length; i++)
        {
            TrainingSequence sequence = step.Sequences[i];
            long row = sequence.Start;
            CausalConvolutionBackward convolution = new()
            {
                X = memory.Gated(layer) + (row * 2 * inner),
                XGradient = memory.GatedGradient + (row * 2 * inner),
                Pitch = 2 * inner,
                Weight = memory.ConvWeight,
                Bias = block.ConvBias,
                Window = step.InitialWindow(layer, i),
                ConvStateGradient = sequence.ConvStateGradient(layer),
                OutputGradient = memory.OutputGradient + (row * inner),
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
