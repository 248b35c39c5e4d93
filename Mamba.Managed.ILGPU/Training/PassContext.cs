using ILGPU;
using Mamba.Managed.ILGPU.Devices;
using Mamba.Managed.ILGPU.Execution;
using Mamba.Managed.ILGPU.Kernels;
using Mamba.Managed.Models;
using Mamba.Managed.Training;

namespace Mamba.Managed.ILGPU.Training;

/// <summary>What forward and backward pass share: the batch, the weights, the memory, and the parts of a mixer that both name.</summary>
internal sealed class PassContext
{
    public required GpuSession Session { get; init; }

    public required ModelShape Shape { get; init; }

    public required TrainingActivations Memory { get; init; }

    public required ParameterViews Weights { get; init; }

    /// <summary>Null for a pass without a backward one.</summary>
    public required ParameterViews? Gradients { get; init; }

    /// <summary>[channels, states] of each block: A2.</summary>
    public required ArrayView<float>[] Decays { get; init; }

    public required BatchColumns Columns { get; init; }

    public required SegmentList Segments { get; init; }

    public required Dropout Dropout { get; init; }

    /// <summary>Factor of the loss in its gradient.</summary>
    public required float Scale { get; init; }

    public MambaConfig Config => Shape.Config;

    public int Pitch => Columns.Pitch;

    /// <summary>y = W x, plus a bias.</summary>
    public void Product(DeviceMatrix weight, DeviceMatrix x, DeviceMatrix y, ArrayView<float> bias) =>
        MatrixProduct.Multiply(Session, new(weight), new(x), y, Pitch, new() { Bias = bias, Workspace = Memory.ProductWorkspace });

    /// <summary>dx = W^T dy, added to what dx holds or in its place.</summary>
    public void InputGradient(DeviceMatrix weight, DeviceMatrix dy, DeviceMatrix dx, bool accumulate = false) =>
        MatrixProduct.Multiply(Session, new(weight, Transposed: true), new(dy), dx, Pitch, new() { Accumulate = accumulate, Workspace = Memory.ProductWorkspace });

    /// <summary>dW += dy x^T, and db += the sums of dy's rows. Padding columns of dy are zero.</summary>
    public void WeightGradient(DeviceMatrix dy, DeviceMatrix x, DeviceMatrix dw, ArrayView<float> db)
    {
        MatrixProduct.Multiply(
            Session, new(dy), new(x, Transposed: true), dw, x.Rows, new() { Accumulate = true, Depth = dy.Pitch, Workspace = Memory.ProductWorkspace });
        if (db.Length > 0)
        {
            RowSums.AddTo(Session, dy, db);
        }
    }

    /// <summary>The scan of a block: in the forward pass it reads and advances the states, in the backward pass it reads those it kept.</summary>
    public ScanArguments Scan(int layer)
    {
        (BlockViews block, DeviceMatrix dtBC) = (Weights.Blocks[layer], Memory.DtBC[layer]);
        return new()
        {
            U = Memory.Channels[layer],
            Delta = Memory.Deltas[layer],
            Z = Memory.Gated[layer].Slice(Shape.Channels, Shape.Channels),
            B = dtBC.Slice(Shape.Rank, Shape.States),
            C = dtBC.Slice(Shape.Rank + Shape.States, Shape.States),
            A2 = Decays[layer],
            DeltaBias = block.DtBias,
            D = block.D,
            Segments = Segments,
            States = new(Memory.States, Shape.StateLength, Shape.ScanOffset(layer)),
            Y = Memory.ScanOutputs[layer],
            ChunkStates = Memory.ChunkStates[layer],
        };
    }

    /// <summary>The convolution of a block.</summary>
    /// <param name="layer">Index of the block.</param>
    /// <param name="states">The states that it reads: in the forward pass those that it advances, in the backward pass the first ones.</param>
    public ConvolutionArguments Convolution(int layer, ArrayView<float> states) => new()
    {
        X = Memory.Gated[layer].Slice(0, Shape.Channels),
        Weight = Weights.Blocks[layer].ConvWeight,
        Bias = Weights.Blocks[layer].ConvBias,
        Segments = Segments,
        States = ConvolutionStates(layer, states),
        Y = Memory.Channels[layer],
    };

    /// <summary>conv_state of a block within states, or their gradients; <see cref="StateSlots.None"/> where there are none.</summary>
    public StateSlots ConvolutionStates(int layer, ArrayView<float> states) =>
        states.Length == 0 ? StateSlots.None : new(states, Shape.StateLength, Shape.ConvOffset(layer));
}
