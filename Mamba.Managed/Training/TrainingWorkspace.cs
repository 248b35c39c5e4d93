using Mamba.Managed.Kernels;
using Mamba.Managed.Models;
using Mamba.Managed.Tensors;

namespace Mamba.Managed.Training;

/// <summary>The memory of a pass: what each block keeps for its backward pass, and what all blocks use in turn.</summary>
/// <remarks>
/// A block keeps its input, the output of in_proj, that of x_proj and a few states of its scan; whatever else the backward pass asks for is
/// cheap to compute again. At 24 blocks of d_model 768 and 512 rows that is 230 MB with everything below:
/// <code>
/// per block:  residual [rows, d_model] | gated [rows, 2 d_inner] | selected [rows, dt_rank + 2 d_state]
///             checkpoints [chunks, d_state, d_inner] | window [sequences, d_conv, d_inner] and initial [sequences, d_state, d_inner] with states
/// shared:     the rest; logits in blocks of rows, never [rows, vocab_size]
/// </code>
/// </remarks>
internal sealed unsafe class TrainingWorkspace(MambaConfig config, int workers) : IDisposable
{
    // 26 MB of logits at once: enough rows to feed the product, few enough to fit the plan above.
    private const int LogitBudget = 6_500_000;

    private readonly List<TensorBuffer> buffers = [];
    private (int Rows, int Chunks, int Sequences) capacity;
    private long byteLength;
    private float*[] residuals = [];
    private float*[] gated = [];
    private float*[] selected = [];
    private float*[] checkpoints = [];
    private float*[] windows = [];
    private float*[] initial = [];

    public GemmScratch Product { get; } = GeneralGemm.CreateScratch(workers);

    public int LogitRows { get; } = Math.Clamp(LogitBudget / config.VocabSize / 16 * 16, 16, 512);

    /// <summary>[rows, d_model]: output of the norm before a mixer, or before the head.</summary>
    public float* Normal { get; private set; }

    /// <summary>[rows, d_model]</summary>
    public float* NormalGradient { get; private set; }

    /// <summary>[rows, d_model]: of the block at hand.</summary>
    public float* ResidualGradient { get; private set; }

    /// <summary>[rows, d_model]: output of the mixer; going back, its gradient where there is dropout.</summary>
    public float* Mixed { get; private set; }

    /// <summary>[rows, d_inner]: output of the convolution.</summary>
    public float* Channels { get; private set; }

    /// <summary>[rows, d_inner]: output of dt_proj, before bias and softplus.</summary>
    public float* Dt { get; private set; }

    /// <summary>[rows, d_inner]: in the place of <see cref="Dt"/>, from the scan's backward pass on.</summary>
    public float* DtGradient => Dt;

    /// <summary>[rows, d_inner]: y of the scan, gated.</summary>
    public float* ScanOutput { get; private set; }

    /// <summary>[rows, d_inner]: until the scan's backward pass has read it.</summary>
    public float* ScanOutputGradient { get; private set; }

    /// <summary>[rows, d_inner]: of <see cref="Channels"/>, in the place of <see cref="ScanOutputGradient"/>, from the scan's backward pass on.</summary>
    public float* ChannelsGradient => ScanOutputGradient;

    /// <summary>[rows, 2 d_inner]</summary>
    public float* GatedGradient { get; private set; }

    /// <summary>[rows, dt_rank + 2 d_state]: dt, B and C, normalized where the model asks for it.</summary>
    public float* Selection { get; private set; }

    /// <summary>[rows, dt_rank + 2 d_state]</summary>
    public float* SelectionGradient { get; private set; }

    /// <summary>[blocks of channels, rows, 2 d_state]: gradients of B and C of each block.</summary>
    public float* SelectionParts { get; private set; }

    /// <summary>[rows]: inverse RMS of the norm at hand.</summary>
    public float* Inverses { get; private set; }

    /// <summary>[a block of rows, vocab_size]: logits, then their gradients.</summary>
    public float* Logits { get; private set; }

    /// <summary>[d_inner / 16, d_state, 16]: A log2(e).</summary>
    public float* Decay { get; private set; }

    /// <summary>[d_conv, d_inner]</summary>
    public float* ConvWeight { get; private set; }

    /// <summary>[d_conv, d_inner]: of a sequence without a state of its own.</summary>
    public float* Window { get; private set; }

    /// <summary>[d_inner / 16, d_state, 16]: likewise; going back, the gradient that a sequence carries.</summary>
    public float* State { get; private set; }

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

    /// <summary>Memory held, in bytes; may be asked for while a pass runs.</summary>
    public long ByteLength => Volatile.Read(ref byteLength);

    /// <summary>[rows, d_model]: the input of block <paramref name="layer"/>; the last is the output of the last block.</summary>
    public float* Residual(int layer) => residuals[layer];

    /// <summary>[rows, 2 d_inner]</summary>
    public float* Gated(int layer) => gated[layer];

    /// <summary>[rows, dt_rank + 2 d_state], before any norm.</summary>
    public float* Selected(int layer) => selected[layer];

    /// <summary>[chunks, d_state, d_inner]</summary>
    public float* Checkpoints(int layer) => checkpoints[layer];

    /// <summary>[sequences, d_conv, d_inner]</summary>
    public float* Windows(int layer) => windows[layer];

    /// <summary>[sequences, d_state, d_inner]</summary>
    public float* Initial(int layer) => initial[layer];

    /// <summary>Makes room; nothing is allocated once the largest batch has been seen.</summary>
    /// <param name="rows">Rows of all sequences.</param>
    /// <param name="chunks">Checkpoints of all sequences.</param>
    /// <param name="sequences">Sequences that bring a state; 0 where they begin at zero.</param>
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
        selected = Each(config.NLayer, rows * projected);
        checkpoints = Each(config.NLayer, chunks * states);
        windows = Each(config.NLayer, sequences * window);
        initial = Each(config.NLayer, sequences * states);
        Normal = New(rows * width);
        NormalGradient = New(rows * width);
        ResidualGradient = New(rows * width);
        Mixed = New(rows * width);
        Channels = New(rows * inner);
        Dt = New(rows * inner);
        ScanOutput = New(rows * inner);
        ScanOutputGradient = New(rows * inner);
        GatedGradient = New(rows * 2 * inner);
        Selection = New(rows * projected);
        SelectionGradient = New(rows * projected);
        SelectionParts = New(SelectiveScanBackward.Blocks(config.DInner) * (long)rows * 2 * config.DState);
        Inverses = New(rows);
        Logits = New((long)Math.Min(rows, LogitRows) * config.VocabSize);
        Decay = New(states);
        ConvWeight = New(window);
        Window = New(window);
        State = New(states);
        AGradient = New(states);
        ConvGradient = New(window);
        ChannelSums = New(2 * inner);
        Lanes = New((long)workers * SelectiveScanBackward.LanesLength(config.DState));
        Losses = new double[rows];

        // Last: where memory is short, the next batch begins anew.
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
