using ILGPU;
using Mamba.Managed.ILGPU.Devices;
using Mamba.Managed.ILGPU.Execution;
using Mamba.Managed.ILGPU.Kernels;
using Mamba.Managed.Models;

namespace Mamba.Managed.ILGPU.Training;

/// <summary>The sizes on which the memory of a batch depends.</summary>
/// <param name="Pitch">Columns of a matrix.</param>
/// <param name="Sequences">How many.</param>
/// <param name="HasStates">Whether the sequences begin from states of their own.</param>
/// <param name="HasStateGradients">Whether gradients of their last states are given.</param>
internal readonly record struct BatchSize(int Pitch, int Sequences, bool HasStates, bool HasStateGradients);

/// <summary>What a batch has in device memory: what each block keeps for its backward pass, and matrices that all blocks share.</summary>
/// <remarks>
/// Everything that the forward pass computes is kept, since memory of a GPU is plenty and computing again is not free; logits exist in blocks of
/// columns only. At 24 blocks of d_model 768 and 4096 tokens that is 4 GB.
/// </remarks>
internal sealed class TrainingActivations
{
    // 256 MB of logits at once: enough columns for an efficient product.
    private const int LogitBudget = 1 << 26;

    /// <summary>Cuts a block of memory, or measures what is needed where the block is empty.</summary>
    public TrainingActivations(GpuSession session, ModelShape shape, BatchSize size, ArrayView<Float4> block)
    {
        MambaConfig config = shape.Config;
        BlockMemory memory = new(block);
        (int layers, int pitch) = (config.NLayer, size.Pitch);
        Residuals = memory.Matrices(layers + 1, shape.Features, pitch);
        Normals = memory.Matrices(layers, shape.Features, pitch);
        Gated = memory.Matrices(layers, 2 * shape.Channels, pitch);
        Channels = memory.Matrices(layers, shape.Channels, pitch);
        XProjOutputs = memory.Matrices(layers, shape.Projected, pitch);
        DtBC = config.MixerNormEpsilon is null ? XProjOutputs : memory.Matrices(layers, shape.Projected, pitch);
        Deltas = memory.Matrices(layers, shape.Channels, pitch);
        ScanOutputs = memory.Matrices(layers, shape.Channels, pitch);
        ChunkStates = [.. Enumerable.Range(0, layers).Select(_ => memory.Floats((long)ScanArguments.Chunks(pitch, size.Sequences) * shape.Channels * shape.States))];

        Mixed = memory.Matrix(shape.Features, pitch);
        FinalNormal = memory.Matrix(shape.Features, pitch);
        NormalGradient = memory.Matrix(shape.Features, pitch);
        ResidualGradient = memory.Matrix(shape.Features, pitch);
        ChannelsGradient = memory.Matrix(shape.Channels, pitch);
        DeltaGradient = memory.Matrix(shape.Channels, pitch);
        GatedGradient = memory.Matrix(2 * shape.Channels, pitch);
        DtBCGradient = memory.Matrix(shape.Projected, pitch);
        Inverses = memory.Floats(pitch);

        LogitColumns = Math.Min(pitch, Math.Max(Padding.Columns, LogitBudget / shape.Vocabulary / Padding.Columns * Padding.Columns));
        Logits = memory.Matrix(shape.Vocabulary, LogitColumns);
        Statistics = memory.Floats((long)CrossEntropy.StatisticsRows * pitch);
        LossWorkspace = memory.Floats(CrossEntropy.Workspace(config.VocabSize, LogitColumns));

        States = memory.Floats(size.Sequences * shape.StateLength);
        FirstStates = memory.Floats(size.HasStates ? size.Sequences * shape.StateLength : 0);
        StateGradients = memory.Floats(size.HasStateGradients ? size.Sequences * shape.StateLength : 0);

        (Rows, Tokens, Targets) = (memory.Integers(pitch), memory.Integers(pitch), memory.Integers(pitch));
        (SortedColumns, DistinctTokens, Starts) = (memory.Integers(pitch), memory.Integers(pitch), memory.Integers(pitch + 1));
        ScanWorkspace = memory.Floats(SelectiveScan.BackwardWorkspace(shape.Channels, shape.States, pitch, size.Sequences));
        ConvolutionWorkspace = memory.Floats(CausalConvolution.BackwardWorkspace(shape.Channels, config.DConv, size.Sequences));
        ProductWorkspace = memory.Floats(LongestProduct(session, shape, pitch));
        Length = memory.Length;
    }

    /// <summary>Units of 16 bytes.</summary>
    public long Length { get; }

    /// <summary>[features, tokens] each: the input of each block; the last is the output of the last block.</summary>
    public DeviceMatrix[] Residuals { get; }

    /// <summary>[features, tokens] each: output of the norm before a mixer.</summary>
    public DeviceMatrix[] Normals { get; }

    /// <summary>[2 * channels, tokens] each: output of in_proj.</summary>
    public DeviceMatrix[] Gated { get; }

    /// <summary>[channels, tokens] each: output of the convolution.</summary>
    public DeviceMatrix[] Channels { get; }

    /// <summary>[rank + 2 * states, tokens] each: output of x_proj, before any norm.</summary>
    public DeviceMatrix[] XProjOutputs { get; }

    /// <summary>[rank + 2 * states, tokens] each: dt, B and C, normalized in a Falcon-Mamba model.</summary>
    public DeviceMatrix[] DtBC { get; }

    /// <summary>[channels, tokens] each: output of dt_proj, before bias and softplus.</summary>
    public DeviceMatrix[] Deltas { get; }

    /// <summary>[channels, tokens] each: y of the scan, gated.</summary>
    public DeviceMatrix[] ScanOutputs { get; }

    /// <summary>[chunks, channels, states] each: see <see cref="ScanArguments.ChunkStates"/>.</summary>
    public ArrayView<float>[] ChunkStates { get; }

    /// <summary>[features, tokens]: output of a mixer; in the backward pass with dropout, its gradient.</summary>
    public DeviceMatrix Mixed { get; }

    /// <summary>[features, tokens]: output of the norm before the head.</summary>
    public DeviceMatrix FinalNormal { get; }

    /// <summary>[features, tokens]: of the output of the current norm.</summary>
    public DeviceMatrix NormalGradient { get; }

    /// <summary>[features, tokens]: of the input of the current block.</summary>
    public DeviceMatrix ResidualGradient { get; }

    /// <summary>[channels, tokens]: of y, then of the convolution's output.</summary>
    public DeviceMatrix ChannelsGradient { get; }

    /// <summary>[channels, tokens]</summary>
    public DeviceMatrix DeltaGradient { get; }

    /// <summary>[2 * channels, tokens]</summary>
    public DeviceMatrix GatedGradient { get; }

    /// <summary>[rank + 2 * states, tokens]</summary>
    public DeviceMatrix DtBCGradient { get; }

    /// <summary>[tokens]: inverse RMS of the current norm.</summary>
    public ArrayView<float> Inverses { get; }

    /// <summary>Columns of a block of logits.</summary>
    public int LogitColumns { get; }

    /// <summary>[vocabulary, <see cref="LogitColumns"/>]: logits, then their gradients.</summary>
    public DeviceMatrix Logits { get; }

    /// <summary>[blocks of columns, 3, columns of the block]: see <see cref="CrossEntropy.Statistics"/>.</summary>
    public ArrayView<float> Statistics { get; }

    /// <summary>Scratch memory of <see cref="CrossEntropy"/>.</summary>
    public ArrayView<float> LossWorkspace { get; }

    /// <summary>[sequences, state]: advanced by the forward pass.</summary>
    public ArrayView<float> States { get; }

    /// <summary>[sequences, state]: before the forward pass; empty where the sequences begin at zero.</summary>
    public ArrayView<float> FirstStates { get; }

    /// <summary>[sequences, state], or empty.</summary>
    public ArrayView<float> StateGradients { get; }

    /// <summary>[tokens]: see <see cref="BatchColumns"/>, as for the five that follow.</summary>
    public ArrayView<int> Rows { get; }

    public ArrayView<int> Tokens { get; }

    public ArrayView<int> Targets { get; }

    public ArrayView<int> SortedColumns { get; }

    public ArrayView<int> DistinctTokens { get; }

    public ArrayView<int> Starts { get; }

    /// <summary>Scratch memory of the scan's backward pass.</summary>
    public ArrayView<float> ScanWorkspace { get; }

    /// <summary>Scratch memory of the convolution's backward pass.</summary>
    public ArrayView<float> ConvolutionWorkspace { get; }

    /// <summary>Scratch memory of products.</summary>
    public ArrayView<float> ProductWorkspace { get; }

    private long LongestProduct(GpuSession session, ModelShape shape, int pitch)
    {
        (int features, int inner, int projected, int rank, int vocabulary) = (shape.Features, shape.Channels, shape.Projected, shape.Rank, shape.Vocabulary);
        (int Rows, int Inputs, int Columns)[] weights = [(2 * inner, features, pitch), (projected, inner, pitch), (inner, rank, pitch), (features, inner, pitch), (vocabulary, features, LogitColumns)];
        return weights.Max(w => Math.Max(
            MatrixProduct.WorkspaceLength(session, w.Rows, w.Columns, w.Inputs),
            Math.Max(MatrixProduct.WorkspaceLength(session, w.Inputs, w.Columns, w.Rows), MatrixProduct.WorkspaceLength(session, w.Rows, w.Inputs, w.Columns))));
    }
}
