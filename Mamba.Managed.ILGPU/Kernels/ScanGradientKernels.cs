using ILGPU;
using ILGPU.Algorithms;
using ILGPU.Runtime.Cuda;
using Mamba.Managed.ILGPU.Unrolling;

namespace Mamba.Managed.ILGPU.Kernels;

#pragma warning disable CS0162 // Unreachable code: variants of the template set its constants.

/// <summary>The gradients of the scan for groups of 16 channels of one sequence, for GPUs with warps of 32; the plain form has their definition.</summary>
/// <remarks>
/// Chunks of 64 steps in reverse, each from the state that the forward pass saved at its beginning. A channel has eight lanes with eight consecutive steps each, a
/// warp four channels, and <see cref="StateWarps"/> warps share the states of four channels. Neighboring lanes have neighboring channels and the same steps, so that
/// shared memory gives them the same B and C at once. For each state the lanes fold their steps in both directions of time:
/// forward for h, backward for the gradient g of h; prefixes over the lanes give both their first values, and the steps are done again, each decay computed once.
/// <para>
/// Gradients of B and C are sums over channels: over a warp's four by exchanges that leave each lane two steps, over warps through shared memory, over groups
/// by a second kernel. All in a fixed order.
/// </para>
/// </remarks>
internal static partial class ScanGradientKernels
{
    /// <summary>Channels of a group.</summary>
    public const int GroupChannels = 16;

    /// <summary>Warps that share the states of the same channels.</summary>
    private const int StateWarps = 1;

    /// <summary>States whose terms of B and C wait in shared memory for the other warps.</summary>
    private const int Together = 8;

    /// <summary>Whether there are more than 16 states: they are taken 16 at a time.</summary>
    private const bool ManyStates = false;

    private const int ChannelWarps = 4;
    private const int Threads = 32 * ChannelWarps * StateWarps;
    private const int TimeLanes = 8;
    private const int WarpChannels = 32 / TimeLanes;
    private const int Steps = 8;
    private const int Chunk = TimeLanes * Steps;
    private const int WarpStates = 16 / StateWarps;

    /// <summary>Computes one group of channels (x) of one sequence (y).</summary>
    [Unrolled("Wide")]
    [Unrolled("WideManyStates", "ManyStates=true")]
    [Unrolled("Narrow", "StateWarps=2", "Together=4")]
    [Unrolled("NarrowManyStates", "StateWarps=2", "Together=4", "ManyStates=true")]
    internal static void Gradients(FastScanGradients work)
    {
        ArrayView<Float4> shared = SharedMemory.Allocate<Float4>(SharedUnits);
        ArrayView<float> a2s = Table(shared, 0), carries = Table(shared, 1), sums = Table(shared, 2);
        ArrayView<Float4> terms = shared.SubView(TermStart, TermUnits);
        Segment segment = work.Scan.Segments[Grid.IdxY];
        int thread = Group.IdxX, lane = thread & 31, timeLane = lane / WarpChannels, part = thread / (32 * ChannelWarps);
        int inGroup = (((thread >> 5) & (ChannelWarps - 1)) * WarpChannels) + (lane & (WarpChannels - 1)), channel = (Grid.IdxX * GroupChannels) + inGroup;
        int place = inGroup * TablePitch, chunks = (segment.Length + Chunk - 1) / Chunk, buffer = 0;
        int ownStep = timeLane * Steps, own = (channel * work.Scan.Pitch) + ((segment.Start + ownStep) >> 2);
        float bias = work.Scan.DeltaBias[channel], skip = work.Scan.D[channel], biasSum = 0f, skipSum = 0f;
        float[] delta = new float[Steps], u = new float[Steps], input = new float[Steps], y = new float[Steps];
        float[] ds = new float[Steps], decayGradient = new float[Steps], inputGradient = new float[Steps];
        float total = 0f;
        int sharedAddress = 0;
        if (CudaAsm.IsSupported)
        {
            sharedAddress = Ptx.FirstShared();
        }

        Begin(work, segment);
        Fetch(work, shared, sharedAddress, segment, chunks - 1, 0, 0);
        for (int chunk = chunks - 1; chunk >= 0; chunk--)
        {
            int at = own + (chunk * (Chunk / 4)), left = segment.Length - (chunk * Chunk) - ownStep;
            if (left > 0)
            {
                ReadSteps(work, at, left, bias, skip, delta, u, input, y, ds);
            }
            else
            {
                NoSteps(delta, u, input, y, ds);
            }

            if (CudaAsm.IsSupported && chunk > 0)
            {
                Prefetch(work, at - (Chunk / 4));
            }

            total = 0f;
            for (int t = Unroll.From(0); t < Steps; t++)
            {
                total += delta[t];
                skipSum += StateWarps == 1 || t / 4 == part ? ds[t] * u[t] : 0f;
                decayGradient[t] = 0f;
                inputGradient[t] = 0f;
            }

            for (int group = 0; group < (ManyStates ? work.Scan.States : 16); group += 16)
            {
                if (ManyStates || chunk == chunks - 1)
                {
                    Load(work, a2s, carries, sums, group);
                }

                Arrive();
                bool isLast = !ManyStates || group + 16 == work.Scan.States;
                Fetch(work, shared, sharedAddress, segment, isLast ? chunk - 1 : chunk, isLast ? 0 : group + 16, buffer ^ 1);
                for (int first = part * WarpStates; first < (part + 1) * WarpStates; first += Together)
                {
                    for (int n = first; n < first + Together; n++)
                    {
                        State(shared, buffer, terms, a2s, carries, sums, place + n, n, n - first, lane, delta, input, y, ds, decayGradient, inputGradient, total);
                    }

                    Group.Barrier();
                    AddWarps(work, terms, segment, chunk, group + (first % WarpStates));
                    Group.Barrier();
                }

                if (ManyStates || chunk == 0)
                {
                    Store(work, carries, sums, group);
                }

                buffer ^= 1;
            }

            if (StateWarps > 1)
            {
                Exchange(terms, part, y, decayGradient, inputGradient);
            }

            if (left > 0)
            {
                for (int q = Unroll.From(0); q < 2 / StateWarps; q++)
                {
                    biasSum += Finish(work, at + q + part, left - (4 * (q + part)), q, part, bias, skip, delta, u, y, ds, decayGradient, inputGradient);
                }
            }
        }

        End(work, terms, segment, biasSum, skipSum);
    }

    /// <summary>One state of a lane's steps.</summary>
    [Inlined]
    private static void State(
        ArrayView<Float4> shared,
        int buffer,
        ArrayView<Float4> terms,
        ArrayView<float> a2s,
        ArrayView<float> carries,
        ArrayView<float> sums,
        int place,
        int n,
        int waiting,
        int lane,
        float[] delta,
        float[] input,
        float[] y,
        float[] ds,
        float[] decayGradient,
        float[] inputGradient,
        float total)
    {
        int timeLane = lane / WarpChannels;
        ArrayView<Float4> tile = shared.SubView((buffer * TileUnits) + (n * RowUnits) + timeLane, (16 * RowUnits) + TimeLanes + 1);
        float a2 = a2s[place], first = Table(shared, 3 + buffer)[place], last = carries[place];
        Float4[] b = new Float4[2], c = new Float4[2];
        float[] decays = new float[Steps], before = new float[Steps], own = new float[Steps], ofB = new float[Steps], ofC = new float[Steps];
        for (int q = Unroll.From(0); q < 2; q++)
        {
            b[q] = tile[q * TimeLanes];
            c[q] = tile[(16 * RowUnits) + (q * TimeLanes)];
        }

        for (int t = Unroll.From(0); t < Steps; t++)
        {
            decays[t] = XMath.Exp2(delta[t] * a2);
            before[t] = input[t] * b[t / 4][t % 4];
            own[t] = ds[t] * c[t / 4][t % 4];
        }

        float h = before[0], product = XMath.Exp2(total * a2), g = decays[Steps - 1] * own[Steps - 1];
        for (int t = Unroll.From(1); t < Steps; t++)
        {
            h = (decays[t] * h) + before[t];
        }

        for (int t = Unroll.From(Steps - 2); t >= 0; t--)
        {
            g = decays[t] * (own[t] + g);
        }

        // Each lane takes over the fold of the lane before (of the lane after, for g), and the first one the carry: the prefix is what it begins with.
        float laterProduct = Warp.ShuffleDown(product, WarpChannels);
        product = Warp.ShuffleUp(product, WarpChannels);
        h = Warp.ShuffleUp(h, WarpChannels);
        g = Warp.ShuffleDown(g, WarpChannels);
        h = timeLane == 0 ? first : h;
        g = timeLane == TimeLanes - 1 ? last : g;
        for (int distance = Unroll.From(1); distance < TimeLanes; distance *= 2)
        {
            float earlierH = Warp.ShuffleUp(h, distance * WarpChannels), laterG = Warp.ShuffleDown(g, distance * WarpChannels);
            float earlierProduct = 0f, evenLaterProduct = 0f;
            if (distance < TimeLanes / 2)
            {
                earlierProduct = Warp.ShuffleUp(product, distance * WarpChannels);
                evenLaterProduct = Warp.ShuffleDown(laterProduct, distance * WarpChannels);
            }

            if (timeLane >= distance)
            {
                h = (product * earlierH) + h;
                product *= earlierProduct;
            }

            if (timeLane < TimeLanes - distance)
            {
                g = (laterProduct * laterG) + g;
                laterProduct *= evenLaterProduct;
            }
        }

        // before[t] becomes what h of the step before has left at step t.
        for (int t = Unroll.From(0); t < Steps; t++)
        {
            float term = before[t];
            before[t] = decays[t] * h;
            h = before[t] + term;
            y[t] += h * c[t / 4][t % 4];
            ofC[t] = ds[t] * h;
        }

        float decaySum = 0f;
        for (int t = Unroll.From(Steps - 1); t >= 0; t--)
        {
            float ofState = own[t] + g, ofDecay = ofState * before[t];
            g = decays[t] * ofState;
            decayGradient[t] += ofDecay * a2;
            decaySum += ofDecay * delta[t];
            inputGradient[t] += ofState * b[t / 4][t % 4];
            ofB[t] = ofState * input[t];
        }

        for (int distance = Unroll.From(1); distance < TimeLanes; distance *= 2)
        {
            decaySum += Warp.ShuffleXor(decaySum, distance * WarpChannels);
        }

        if (timeLane == 0)
        {
            carries[place] = g;
            sums[place] += decaySum;
        }

        AddChannels(terms, n / WarpStates * Together + waiting, lane, ofB, ofC);
    }
}
