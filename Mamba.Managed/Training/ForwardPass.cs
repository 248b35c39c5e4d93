using System.Numerics.Tensors;
using Mamba.Managed.Checkpoints;
using Mamba.Managed.Kernels;
using Mamba.Managed.Layers;
using Mamba.Managed.Threading;

namespace Mamba.Managed.Training;

/// <summary>The forward pass of a pass: every block, keeping what the backward pass needs.</summary>
internal static unsafe class ForwardPass
{
    /// <summary>Runs on every worker; ends with this worker's rows of the last block's output.</summary>
    public static void Run(Worker worker, PassContext pass)
    {
        TrainingWorkspace memory = pass.Workspace;
        (int start, int end) = worker.Range(pass.Rows);
        for (int row = start; row < end; row++)
        {
            pass.Row(pass.Weights.Embedding, pass.Tokens[row]).CopyTo(pass.Row(memory.Residual(0), row));
        }

        for (int layer = 0; layer < pass.Weights.Blocks.Length; layer++)
        {
            Block(worker, pass, pass.Weights.Blocks[layer], layer);
            worker.Barrier();
            for (int row = start; row < end; row++)
            {
                pass.Dropout.Apply(pass.Row(memory.Mixed, row), layer, row);
                TensorPrimitives.Add(pass.Row(memory.Residual(layer), row), pass.Row(memory.Mixed, row), pass.Row(memory.Residual(layer + 1), row));
            }
        }
    }

    private static void Block(Worker worker, PassContext pass, BlockPointers block, int layer)
    {
        TrainingWorkspace memory = pass.Workspace;
        (int rows, int width, int inner) = (pass.Rows, pass.Width, pass.Inner);
        pass.Normalize(worker, memory.Residual(layer), block.Norm);
        pass.Arrange(worker, block);
        worker.Barrier();
        Product(memory.Normal, width, block.InWeight, memory.Gated(layer), 2 * inner, block.InBias);
        worker.Barrier();
        pass.Convolve(worker, block, layer, keep: true);
        worker.Barrier();
        Product(memory.Channels, inner, block.XWeight, memory.Selected(layer), pass.Projected, null);
        worker.Barrier();
        float* selection = pass.Select(worker, layer);
        worker.Barrier();
        pass.ProjectDt(worker, block, selection);
        worker.Barrier();
        Scan(worker, pass, block, selection, layer);
        worker.Barrier();
        Product(memory.ScanOutput, inner, block.OutWeight, memory.Mixed, width, block.OutBias);

        void Product(float* x, int inputs, float* weight, float* y, int outputs, float* bias) => GeneralGemm.Run(
            worker, memory.Product, new(x, rows, inputs), new MatrixView(weight, outputs, inputs).Transposed, new(y, rows, outputs), bias: bias);
    }

    private static void Scan(Worker worker, PassContext pass, BlockPointers block, float* selection, int layer)
    {
        TrainingWorkspace memory = pass.Workspace;
        (int start, int end) = pass.ChannelsOf(worker);
        (int inner, int states) = (pass.Inner, pass.Config.DState);
        for (int i = 0; i < pass.Sequences.Length; i++)
        {
            TrainingSequence sequence = pass.Sequences[i];
            float* state = memory.State;
            if (sequence.States is null)
            {
                pass.CopyStates(null, state, start, end);
            }
            else
            {
                state = sequence.State(layer);
                pass.CopyStates(state, memory.Initial(layer) + ((long)i * states * inner), start, end);
            }

            for (int t = 0; t < sequence.Length; t += SelectiveScanBackward.ChunkLength)
            {
                long row = sequence.Start + t;
                if (t > 0)
                {
                    long chunk = sequence.Checkpoint + (t / SelectiveScanBackward.ChunkLength) - 1;
                    pass.CopyStates(state, memory.Checkpoints(layer) + (chunk * states * inner), start, end);
                }

                SelectiveScan scan = new()
                {
                    U = memory.Channels + (row * inner),
                    Dt = memory.Dt + (row * inner),
                    DtPitch = inner,
                    Bias = block.DtBias,
                    Softplus = true,
                    Decay = memory.Decay,
                    B = selection + (row * pass.Projected) + pass.Config.DtRank,
                    C = selection + (row * pass.Projected) + pass.Config.DtRank + states,
                    Pitch = pass.Projected,
                    D = block.D,
                    Z = memory.Gated(layer) + (row * 2 * inner) + inner,
                    ZPitch = 2 * inner,
                    State = state,
                    Y = memory.ScanOutput + (row * inner),
                    Length = Math.Min(SelectiveScanBackward.ChunkLength, sequence.Length - t),
                    Channels = inner,
                    States = states,
                };
                scan.Forward(start, end);
            }
        }
    }
}
