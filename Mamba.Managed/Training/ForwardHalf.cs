using System.Numerics.Tensors;
using Mamba.Managed.Checkpoints;
using Mamba.Managed.Kernels;
using Mamba.Managed.Layers;
using Mamba.Managed.Threading;

namespace Mamba.Managed.Training;

/// <summary>The forward half of a pass: every block, keeping what the backward half needs.</summary>
internal static unsafe class ForwardHalf
{
    /// <summary>Runs on every worker; ends with this worker's rows of the last block's output.</summary>
    public static void Run(Worker worker, TrainingStep step)
    {
        TrainingWorkspace memory = step.Workspace;
        (int start, int end) = worker.Range(step.Rows);
        for (int row = start; row < end; row++)
        {
            step.Row(step.Weights.Embedding, step.Tokens[row]).CopyTo(step.Row(memory.Residual(0), row));
        }

        for (int layer = 0; layer < step.Weights.Blocks.Length; layer++)
        {
            Block(worker, step, step.Weights.Blocks[layer], layer);
            worker.Barrier();
            for (int row = start; row < end; row++)
            {
                step.Dropout.Apply(step.Row(memory.Mixed, row), layer, row);
                TensorPrimitives.Add(step.Row(memory.Residual(layer), row), step.Row(memory.Mixed, row), step.Row(memory.Residual(layer + 1), row));
            }
        }
    }

    private static void Block(Worker worker, TrainingStep step, BlockPointers block, int layer)
    {
        TrainingWorkspace memory = step.Workspace;
        (int rows, int width, int inner) = (step.Rows, step.Width, step.Inner);
        step.Normalize(worker, memory.Residual(layer), block.Norm);
        step.Arrange(worker, block);
        worker.Barrier();
        Product(memory.Normal, width, block.InWeight, memory.Gated(layer), 2 * inner, block.InBias);
        worker.Barrier();
        step.Convolve(worker, block, layer, keep: true);
        worker.Barrier();
        Product(memory.Channels, inner, block.XWeight, memory.Selected(layer), step.Projected, null);
        worker.Barrier();
        float* selection = step.Select(worker, layer);
        worker.Barrier();
        step.Step(worker, block, selection);
        worker.Barrier();
        Scan(worker, step, block, selection, layer);
        worker.Barrier();
        Product(memory.Outputs, inner, block.OutWeight, memory.Mixed, width, block.OutBias);

        void Product(float* x, int inputs, float* weight, float* y, int outputs, float* bias) => GeneralGemm.Run(
            worker, memory.Product, new(x, rows, inputs), new MatrixView(weight, outputs, inputs).Transposed, new(y, rows, outputs), bias: bias);
    }

    private static void Scan(Worker worker, TrainingStep step, BlockPointers block, float* selection, int layer)
    {
        TrainingWorkspace memory = step.Workspace;
        (int start, int end) = step.ChannelsOf(worker);
        (int inner, int states) = (step.Inner, step.Config.DState);
        for (int i = 0; i < step.Sequences.Length; i++)
        {
            TrainingSequence sequence = step.Sequences[i];
            float* state = memory.State;
            if (sequence.States is null)
            {
                step.CopyStates(null, state, start, end);
            }
            else
            {
                state = sequence.State(layer);
                step.CopyStates(state, memory.Initial(layer) + ((long)i * states * inner), start, end);
            }

            for (int t = 0; t < sequence.Length; t += SelectiveScanBackward.ChunkLength)
            {
                long row = sequence.Start + t;
                if (t > 0)
                {
                    long chunk = sequence.Checkpoint + (t / SelectiveScanBackward.ChunkLength) - 1;
                    step.CopyStates(state, memory.Checkpoints(layer) + (chunk * states * inner), start, end);
                }

                SelectiveScan scan = new()
                {
                    U = memory.Channels + (row * inner),
                    Dt = memory.Steps + (row * inner),
                    DtPitch = inner,
                    Bias = block.DtBias,
                    Softplus = true,
                    Decay = memory.Decay,
                    B = selection + (row * step.Projected) + step.Config.DtRank,
                    C = selection + (row * step.Projected) + step.Config.DtRank + states,
                    Pitch = step.Projected,
                    D = block.D,
                    Z = memory.Gated(layer) + (row * 2 * inner) + inner,
                    ZPitch = 2 * inner,
                    State = state,
                    Y = memory.Outputs + (row * inner),
                    Length = Math.Min(SelectiveScanBackward.ChunkLength, sequence.Length - t),
                    Channels = inner,
                    States = states,
                };
                scan.Forward(start, end);
            }
        }
    }
}
