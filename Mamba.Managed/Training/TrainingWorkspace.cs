using Mamba.Managed.Kernels;
using Mamba.Managed.Models;
using Mamba.Managed.Tensors;

namespace Mamba.Managed.Training;

/// <summary>The memory of a training pass: activations that each block keeps for its backward pass, and buffers that all blocks share.</summary>
/// <remarks>
/// A block keeps its input, the outputs of in_proj and x_proj, and a few states of its scan; the backward pass recomputes the rest, which is
/// cheap (activation checkpointing). At 24 blocks of d_model 768 and 512 rows that is 230 MB including all shared buffers:
/// <code>
/// per block:  residual [rows, d_model] | gated [rows, 2 d_inner] | x_proj output [rows, dt_rank + 2 d_state]
///             checkpoints [chunks, d_state, d_inner] | with carried states: initial conv_state and ssm_state of each sequence
/// shared:     the rest; logits in blocks of rows, never [rows, vocab_size]
/// </code>
/// </remarks>
internal sealed unsafe class TrainingWorkspace(MambaConfig config, int workers) : IDisposable
{
    // 26 MB of logits at once: enough rows for an efficient product, few enough for the memory above.
    private const int LogitBudget = 6_500_000;

    private readonly List<TensorBuffer> buffers = [];
    private (int Rows, int Chunks, int Sequences) capacity;
    private long byteLength;
    private float*[] residuals = [];
    private float*[] gated = [];
    private float*[] xProjOutputs = [];
    private float*[] checkpoints = [];
    private float*[] initialConvStates = [];
    private float*[] initialSsmStates = [];

    public GemmScratch Product { get; } = GeneralGemm.CreateScratch(workers);

    public int LogitRows { get; } = Math.Clamp(LogitBudget / config.VocabSize / 16 * 16, 16, 512);

    /// <summary>[rows, d_model]: output of the norm before a mixer, or before the head.</summary>
    public float* Normal { get; private set; }

    /// <summary>[rows, d_model]</summary>
    public float* NormalGradient { get; private set; }

    /// <summary>[rows, d_model]: of the current block.</summary>
    public float* ResidualGradient { get; private set; }

    /// <summary>[rows, d_model]: output of the mixer; in the backward pass with dropout, its gradient.</summary>
    public float* Mixed { get; private set; }

    /// <summary>[rows, d_inner]: output of the convolution.</summary>
    public float* Channels { get; private set; }

    /// <summary>[rows, d_inner]: output of dt_proj, before bias and softplus.</summary>
    public float* Dt { get; private set; }

    /// <summary>[rows, d_inner]: overwrites <see cref="Dt"/> in the scan's backward pass.</summary>
    public float* DtGradient => Dt;

    /// <summary>[rows, d_inner]: y of the scan, gated.</summary>
    public float* ScanOutput { get; private set; }

    /// <summary>[rows, d_inner]: valid until the scan's backward pass.</summary>
    public float* ScanOutputGradient { get; private set; }

    /// <summary>[rows, d_inner]: of <see cref="Channels"/>; overwrites <see cref="ScanOutputGradient"/> in the scan's backward pass.</summary>
    public float* ChannelsGradient => ScanOutputGradient;

    /// <summary>[rows, 2 d_inner]</summary>
    public float* GatedGradient { get; private set; }

    /// <summary>[rows, dt_rank + 2 d_state]: dt, B and C, normalized; used by Falcon-Mamba models only.</summary>
    public float* DtBC { get; private set; }

    /// <summary>[rows, dt_rank + 2 d_state]</summary>
    public float* DtBCGradient { get; private set; }

    /// <summary>[blocks of channels, rows, 2 d_state]: gradients of B and C of each block.</summary>
    public float* BCGradientParts { get; private set; }

    /// <summary>[rows]: inverse RMS of the current norm.</summary>
    public float* Inverses { get; private set; }

    /// <summary>[a block of rows, vocab_size]: logits, then their gradients.</summary>
    public float* Logits { get; private set; }

    /// <summary>[d_inner / 16, d_state, 16]: A log2(e).</summary>
    public float* Decay { get; private set; }

    /// <summary>[d_conv, d_inner]</summary>
    public float* ConvWeight { get; private set; }

    /// <summary>[d_conv, d_inner]: for a sequence without a state of its own.</summary>
    public float* ConvState { get; private set; }

    /// <summary>[d_inner / 16, d_state, 16]: for a sequence without a state of its own; in the backward pass, the gradient of the running state.</summary>
    public float* SsmState { get; private set; }

    /// <summary>[d_inner / 16, d_state, 16]</summary>
    public float* AGradient { get; private set; }

    /// <summary>[d_conv, d_inner]</summary>
    public float* ConvGradient { get; private set; }

    /// <summary>[2, d_inner]: gradients of D and of the bias of dt_proj; then, in the first half, of the convolution's bias.</summary>
    public float* ChannelSums { get; private set; }

    /// <summary>[workers, scratch of the scan's backward pass]</summary>
    public float* Lanes { get; private set; }

    /// <summary>[rows]: in nats.</summary>
    public double[] Losses { get; private set; } = [];

    /// <summary>Memory held, in bytes; may be read while a pass runs.</summary>
    public long ByteLength => Volatile.Read(ref byteLength);

    /// <summary>[rows, d_model]: the input of block <paramref name="layer"/>; the last is the output of the last block.</summary>
    public float* Residual(int layer) => residuals[layer];

    /// <summary>[rows, 2 d_inner]</summary>
    public float* Gated(int layer) => gated[layer];

    /// <summary>[rows, dt_rank + 2 d_state], before any norm.</summary>
    public float* XProjOutput(int layer) => xProjOutputs[layer];

    /// <summary>[chunks, d_state, d_inner]</summary>
    public float* Checkpoints(int layer) => checkpoints[layer];

    /// <summary>[sequences, d_conv, d_inner]</summary>
    public float* InitialConvStates(int layer) => initialConvStates[layer];

    /// <summary>[sequences, d_state, d_inner]</summary>
    public float* InitialSsmStates(int layer) => initialSsmStates[layer];

    /// <summary>Makes room; allocates only when a batch is larger than all before.</summary>
    /// <param name="rows">Rows of all sequences.</param>
    /// <param name="chunks">Checkpoints of all sequences.</param>
    /// <param name="sequences">Sequences with a state of their own; 0 if they begin at zero.</param>
    public void Reserve(int rows, int chunks, int sequences)
    {
        if (rows <= capacity.Rows && chunks <= capacity.Chunks && sequences <= capacity.Sequences)
        {
            return;
        }

        (rows, chunks, sequences) = (Math.Max(rows, capacity.Rows), Math.Max(chunks, capacity.Chunks), Math.Max(sequences, capacity.Sequences));
        Free();
        long inner = config.DInner, width = config.DModel, states = config.DState * inner, window = config.DConv * inner;
        long projected = config.DtRank + (2L * config.DState);
        residuals = Each(config.NLayer + 1, rows * width);
        gated = Each(config.NLayer, rows * 2 * inner);
        xProjOutputs = Each(config.NLayer, rows * projected);
        checkpoints = Each(config.NLayer, chunks * states);
        initialConvStates = Each(config.NLayer, sequences * window);
        initialSsmStates = Each(config.NLayer, sequences * states);
        Normal = New(rows * width);
        NormalGradient = New(rows * width);
        ResidualGradient = New(rows * width);
        Mixed = New(rows * width);
        Channels = New(rows * inner);
        Dt = New(rows * inner);
        ScanOutput = New(rows * inner);
        ScanOutputGradient = New(rows * inner);
        GatedGradient = New(rows * 2 * inner);
        DtBC = New(rows * projected);
        DtBCGradient = New(rows * projected);
        BCGradientParts = New(SelectiveScanBackward.Blocks(config.DInner) * (long)rows * 2 * config.DState);
        Inverses = New(rows);
        Logits = New((long)Math.Min(rows, LogitRows) * config.VocabSize);
        Decay = New(states);
        ConvWeight = New(window);
        ConvState = New(window);
        SsmState = New(states);
        AGradient = New(states);
        ConvGradient = New(window);
        ChannelSums = New(2 * inner);
        Lanes = New((long)workers * SelectiveScanBackward.LanesLength(config.DState));
        Losses = new double[rows];

        // Set last: if an allocation fails, the next batch allocates everything again.
        capacity = (rows, chunks, sequences);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Free();
        Product.Dispose();
    }

    private void Free()
    {
        foreach (TensorBuffer buffer in buffers)
        {
            buffer.Dispose();
        }

        buffers.Clear();
        capacity = default;
        byteLength = 0;
    }

    private float*[] Each(int layers, long count)
    {
        float*[] each = new float*[layers];
        for (int i = 0; i < layers; i++)
        {
            each[i] = New(count);
        }

        return each;
    }

    private float* New(long count)
    {
        TensorBuffer buffer = TensorBuffer.Allocate(count * sizeof(float));
        buffers.Add(buffer);
        Volatile.Write(ref byteLength, byteLength + buffer.Length);
        return (float*)buffer.Pointer;
    }
}
