using System.Diagnostics;
using System.Runtime.CompilerServices;
using Mamba.Managed.Kernels.Simd;

namespace Mamba.Managed.Kernels;

/// <summary>Gradients of <see cref="SelectiveScan"/>, a vector of channels at a time; <see cref="SelectiveScanGradientReference"/> defines them.</summary>
/// <remarks>
/// Gradient checkpointing over time: the forward pass stored the state before each chunk of rows. The sequence is traversed backwards, a chunk at a time;
/// within a chunk, one state of a vector of channels is computed again for all rows, kept in the L1 cache, and used at once. So memory is
/// O(length / chunk) states, never [length, channels, states].
/// <para/>
/// B and C are shared by all channels. Their gradients are summed over fixed blocks of channels in the order of <see cref="VirtualLanes"/>, and the reader
/// adds the blocks in ascending order, so the bits depend neither on threads nor on the vector width.
/// </remarks>
internal readonly unsafe struct SelectiveScanBackward
{
    /// <summary>Rows between two states that the forward pass stores.</summary>
    public const int ChunkLength = 64;

    /// <summary>Channels whose gradients of B and C are summed together.</summary>
    public const int BlockChannels = 64;

    private const int Lanes = VirtualLanes.Count;

    /// <summary>[length, channels]</summary>
    public required float* U { get; init; }

    /// <summary>[length, channels]: delta before bias and softplus.</summary>
    public required float* Dt { get; init; }

    /// <summary>[channels] or null.</summary>
    public float* Bias { get; init; }

    /// <summary>Whether delta is the softplus of Dt + Bias.</summary>
    public bool Softplus { get; init; }

    /// <summary>[states, channels] as <see cref="ChannelPanels"/>: A log2(e).</summary>
    public required float* Decay { get; init; }

    /// <summary>[length, states] with a pitch of <see cref="Pitch"/>.</summary>
    public required float* B { get; init; }

    /// <summary>[length, states] with a pitch of <see cref="Pitch"/>.</summary>
    public required float* C { get; init; }

    /// <summary>Distance between rows of B and of C.</summary>
    public required int Pitch { get; init; }

    /// <summary>[channels] or null.</summary>
    public float* D { get; init; }

    /// <summary>[length, channels] with a pitch of <see cref="ZPitch"/>, or null.</summary>
    public float* Z { get; init; }

    /// <summary>Distance between rows of Z and of its gradient.</summary>
    public int ZPitch { get; init; }

    /// <summary>[states, channels] as <see cref="ChannelPanels"/> or null for zero: h before the first row.</summary>
    public float* InitialState { get; init; }

    /// <summary>[chunks - 1, states, channels] as <see cref="ChannelPanels"/>: h before each chunk but the first.</summary>
    public required float* Checkpoints { get; init; }

    /// <summary>[length, channels]: the gradient of the output.</summary>
    public required float* OutputGradient { get; init; }

    /// <summary>[length, channels]: receives the output; like <see cref="UGradient"/>, it must not be <see cref="U"/>.</summary>
    public required float* Y { get; init; }

    /// <summary>[length, channels]: receives the gradient of u; may be <see cref="OutputGradient"/>.</summary>
    public required float* UGradient { get; init; }

    /// <summary>[length, channels]: receives the gradient of <see cref="Dt"/>; may be <see cref="Dt"/>.</summary>
    public required float* DtGradient { get; init; }

    /// <summary>[length, channels] with a pitch of <see cref="ZPitch"/>: receives the gradient of z; null without a gate.</summary>
    public float* ZGradient { get; init; }

    /// <summary>[blocks, length, 2 states]: receives each block's gradients of B, then of C.</summary>
    public required float* BCGradient { get; init; }

    /// <summary>Distance between the blocks of <see cref="BCGradient"/>.</summary>
    public required long BlockPitch { get; init; }

    /// <summary>[states, channels] as <see cref="ChannelPanels"/>: the gradient of h after the last row; of h before the first row on return.</summary>
    public required float* StateGradient { get; init; }

    /// <summary>[states, channels] as <see cref="ChannelPanels"/>: the gradient of A is added.</summary>
    public required float* AGradient { get; init; }

    /// <summary>[channels]: the gradient of D is added.</summary>
    public required float* DGradient { get; init; }

    /// <summary>[channels]: the gradient of the bias is added.</summary>
    public required float* BiasGradient { get; init; }

    /// <summary>Rows.</summary>
    public required int Length { get; init; }

    /// <summary>Channels of all arrays.</summary>
    public required int Channels { get; init; }

    /// <summary>States of a channel.</summary>
    public required int States { get; init; }

    private ChannelPanels Panels => new(Channels, States);

    /// <summary>Blocks of <see cref="BlockChannels"/> channels, the last perhaps smaller.</summary>
    public static int Blocks(int channels) => (channels + BlockChannels - 1) / BlockChannels;

    /// <summary>Floats that one worker's <c>lanes</c> need.</summary>
    public static int LanesLength(int states) => 2 * states * ChunkLength * Lanes;

    /// <summary>Computes the gradients for the blocks [start, end).</summary>
    /// <param name="start">First block.</param>
    /// <param name="end">End of the blocks.</param>
    /// <param name="lanes">Scratch memory of <see cref="LanesLength"/> floats.</param>
    public void Run(int start, int end, float* lanes)
    {
        Debug.Assert(start >= 0 && start <= end && end <= Blocks(Channels) && Length >= 1 && States >= 1 && lanes is not null, "no range");
        Debug.Assert(Y != U && UGradient != U, "u is read after the output and its gradient are written");
        Debug.Assert(Z is null || (ZGradient is not null && ZPitch >= Channels), "no place for the gradient of z");
        for (int block = start; block < end; block++)
        {
            int first = block * BlockChannels, last = Math.Min(first + BlockChannels, Channels);
            for (int t = (Length - 1) / ChunkLength * ChunkLength; t >= 0; t -= ChunkLength)
            {
                int rows = Math.Min(ChunkLength, Length - t);
                new Span<float>(lanes, LanesLength(States)).Clear();
                Widths.Run(new ChunkKernel(this, t, rows, lanes), first, last);
                Reduce(block, t, rows, lanes);
            }
        }
    }

    private void Reduce(int block, int t, int rows, float* lanes)
    {
        float* to = BCGradient + (block * BlockPitch) + ((long)t * 2 * States);
        for (int n = 0; n < 2 * States; n++, lanes += ChunkLength * Lanes)
        {
            for (int i = 0; i < rows; i++)
            {
                to[((long)i * 2 * States) + n] = VirtualLanes.Sum(lanes + (i * Lanes));
            }
        }
    }

    private int Chunk<L, V>(int t, int rows, int start, int end, float* lanes)
        where L : struct, ILanes<V>
    {
        float* room = stackalloc float[8 * (ChunkLength + 1) * Lanes];
        int size = (ChunkLength + 1) * L.Count;
        ChunkRows chunk = new(room, size);
        int c = start;
        for (; c + L.Count <= end; c += L.Count)
        {
            Begin<L, V>(t, rows, c, chunk);
            for (int n = 0; n < States; n++)
            {
                float* lane = lanes + (n * ChunkLength * Lanes) + (c % Lanes);
                Recompute<L, V>(t, rows, n, c, chunk);
                Walk<L, V>(t, rows, n, c, chunk, lane, lane + (States * ChunkLength * Lanes));
            }

            Finish<L, V>(t, rows, c, chunk);
        }

        return c;
    }

    private void Begin<L, V>(int t, int rows, int c, ChunkRows chunk)
        where L : struct, ILanes<V>
    {
        V bias = Bias is null ? L.Broadcast(0) : L.Load(Bias + c);
        V skip = D is null ? L.Broadcast(0) : L.Load(D + c);
        for (int i = 0; i < rows; i++)
        {
            long at = ((long)(t + i) * Channels) + c;
            int to = i * L.Count;
            V step = L.Add(L.Load(Dt + at), bias);
            step = Softplus ? Elementary.Softplus<L, V>(step) : step;
            V u = L.Load(U + at), dy = L.Load(OutputGradient + at);
            L.Store(chunk.Delta + to, step);
            L.Store(chunk.Input + to, L.Multiply(step, u));
            L.Store(chunk.Sum + to, L.Multiply(skip, u));
            L.Store(chunk.SumGradient + to, Z is null ? dy : L.Multiply(dy, Elementary.Silu<L, V>(L.Load(Z + ((long)(t + i) * ZPitch) + c))));
            L.Store(chunk.InputGradient + to, L.Broadcast(0));
            L.Store(chunk.DeltaGradient + to, L.Broadcast(0));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Recompute<L, V>(int t, int rows, int n, int c, ChunkRows chunk)
        where L : struct, ILanes<V>
    {
        long at = Panels.Offset(c) + (n * Panels.Pitch(c));
        float* before = t == 0 ? InitialState : Checkpoints + ((long)((t / ChunkLength) - 1) * States * Channels);
        V decay = L.Load(Decay + at);
        V h = before is null ? L.Broadcast(0) : L.Load(before + at);
        float* b = B + ((long)t * Pitch) + n;
        float* read = C + ((long)t * Pitch) + n;
        float* end = chunk.Delta + (rows * L.Count);
        float* state = chunk.State;
        nint input = (nint)(chunk.Input - chunk.Delta), sum = (nint)(chunk.Sum - chunk.Delta), factor = (nint)(chunk.Factor - chunk.Delta);
        L.Store(state, h);
        for (float* row = chunk.Delta; row < end; row += L.Count, b += Pitch, read += Pitch)
        {
            V a = Elementary.Exp2<L, V>(L.Multiply(L.Load(row), decay));
            h = L.MultiplyAdd(a, h, L.Multiply(L.Load(row + input), L.Broadcast(*b)));
            state += L.Count;
            L.Store(row + factor, a);
            L.Store(state, h);
            L.Store(row + sum, L.MultiplyAdd(h, L.Broadcast(*read), L.Load(row + sum)));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Walk<L, V>(int t, int rows, int n, int c, ChunkRows chunk, float* laneB, float* laneC)
        where L : struct, ILanes<V>
    {
        long at = Panels.Offset(c) + (n * Panels.Pitch(c));
        V a = L.Multiply(L.Load(Decay + at), L.Broadcast(Elementary.Ln2));
        V carry = L.Load(StateGradient + at), sumA = L.Load(AGradient + at);
        for (int i = rows - 1; i >= 0; i--)
        {
            int row = i * L.Count;
            long select = ((long)(t + i) * Pitch) + n;
            V ds = L.Load(chunk.SumGradient + row);
            V dh = L.MultiplyAdd(ds, L.Broadcast(C[select]), carry);
            L.Store(laneC + (i * Lanes), L.MultiplyAdd(ds, L.Load(chunk.State + row + L.Count), L.Load(laneC + (i * Lanes))));
            L.Store(laneB + (i * Lanes), L.MultiplyAdd(dh, L.Load(chunk.Input + row), L.Load(laneB + (i * Lanes))));
            L.Store(chunk.InputGradient + row, L.MultiplyAdd(dh, L.Broadcast(B[select]), L.Load(chunk.InputGradient + row)));
            carry = L.Multiply(dh, L.Load(chunk.Factor + row));
            V exponent = L.Multiply(carry, L.Load(chunk.State + row));
            L.Store(chunk.DeltaGradient + row, L.MultiplyAdd(exponent, a, L.Load(chunk.DeltaGradient + row)));
            sumA = L.MultiplyAdd(exponent, L.Load(chunk.Delta + row), sumA);
        }

        L.Store(StateGradient + at, carry);
        L.Store(AGradient + at, sumA);
    }

    private void Finish<L, V>(int t, int rows, int c, ChunkRows chunk)
        where L : struct, ILanes<V>
    {
        V one = L.Broadcast(1);
        V bias = Bias is null ? L.Broadcast(0) : L.Load(Bias + c);
        V skip = D is null ? L.Broadcast(0) : L.Load(D + c);
        V sumD = L.Load(DGradient + c), sumBias = L.Load(BiasGradient + c);
        for (int i = rows - 1; i >= 0; i--)
        {
            long at = ((long)(t + i) * Channels) + c, gate = ((long)(t + i) * ZPitch) + c;
            int row = i * L.Count;
            V u = L.Load(U + at), sum = L.Load(chunk.Sum + row), ds = L.Load(chunk.SumGradient + row), dx = L.Load(chunk.InputGradient + row);
            if (Z is not null)
            {
                V z = L.Load(Z + gate), sigmoid = Elementary.Sigmoid<L, V>(z);
                V slope = L.Multiply(sigmoid, L.MultiplyAdd(z, L.Subtract(one, sigmoid), one));
                L.Store(ZGradient + gate, L.Multiply(L.Multiply(L.Load(OutputGradient + at), sum), slope));
                sum = L.Multiply(sum, Elementary.Silu<L, V>(z));
            }

            V ddelta = L.MultiplyAdd(dx, u, L.Load(chunk.DeltaGradient + row));
            ddelta = Softplus ? L.Multiply(ddelta, Elementary.Sigmoid<L, V>(L.Add(L.Load(Dt + at), bias))) : ddelta;
            sumD = L.MultiplyAdd(ds, u, sumD);
            sumBias = L.Add(sumBias, ddelta);
            L.Store(Y + at, sum);
            L.Store(UGradient + at, L.MultiplyAdd(dx, L.Load(chunk.Delta + row), L.Multiply(ds, skip)));
            L.Store(DtGradient + at, ddelta);
        }

        L.Store(DGradient + c, sumD);
        L.Store(BiasGradient + c, sumBias);
    }

    private readonly struct ChunkKernel(SelectiveScanBackward scan, int t, int rows, float* lanes) : IRangeKernel
    {
        public int Run<L, V>(int start, int end)
            where L : struct, ILanes<V> => scan.Chunk<L, V>(t, rows, start, end, lanes);
    }

    // Buffers of one vector of channels over the rows of a chunk; State has one row more, for the state before the chunk.
    private readonly struct ChunkRows(float* room, int size)
    {
        public float* Delta { get; } = room;

        public float* Input { get; } = room + size;

        public float* Sum { get; } = room + (2 * size);

        public float* SumGradient { get; } = room + (3 * size);

        public float* InputGradient { get; } = room + (4 * size);

        public float* DeltaGradient { get; } = room + (5 * size);

        public float* Factor { get; } = room + (6 * size);

        public float* State { get; } = room + (7 * size);
    }
}
