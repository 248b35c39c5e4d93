using ILGPU;
using ILGPU.Algorithms;
using ILGPU.Runtime.Cuda;
using Mamba.Managed.ILGPU.Unrolling;

namespace Mamba.Managed.ILGPU.Kernels;

#pragma warning disable CS0162 // Unreachable code: variants of the template set its constants.

/// <summary>The scan of groups of channels of one sequence, for GPUs with warps of 32.</summary>
/// <remarks>
/// A channel's 16 states are parted among four lanes, four states each, and these again exist <see cref="TimeLanes"/> times, each with 16 consecutive steps of a
/// chunk. A lane prepares delta and delta u of the four steps that are its own, and shares them through shared memory. The chain of h is computed for one state at a
/// time, in registers; the sums over states come together by exchanges that leave every lane with its own four steps.
/// <para>
/// With one time lane a state runs through the steps as the definition says. With several, each time lane first folds its steps into one, h -> P h + f; a prefix
/// over the lanes gives the h with which each begins, and the steps are done again with the decays that are still in registers: no exponential is
/// computed twice. Few channels fill the GPU so, at the price of the second turn.
/// </para>
/// <para>
/// Neighboring lanes have neighboring channels, with the same states and steps: they read the same B and C, which shared memory gives to both at once. So a warp
/// always has two channels or more; where they have too many lanes for that, two warps share their states.
/// </para>
/// B and C are staged in shared memory, see <c>Fetch</c>.
/// </remarks>
internal static partial class SelectiveScanKernels
{
    /// <summary>Threads of a group.</summary>
    public const int Threads = 128;

    /// <summary>Lanes of a warp that share a channel's states.</summary>
    private const int StateLanes = 4;

    /// <summary>Warps that share the states of the same channels.</summary>
    private const int StateWarps = 1;

    /// <summary>Consecutive steps of a lane.</summary>
    private const int Steps = 16;

    /// <summary>Lanes that share a chunk of time.</summary>
    private const int TimeLanes = 1;

    /// <summary>Chunks for which B and C are staged at once.</summary>
    private const int StageChunks = 2;

    /// <summary>States that a lane folds together, for more independent instructions.</summary>
    private const int Together = 1;

    /// <summary>Whether the matrices are bfloat16.</summary>
    private const bool IsBFloat16 = false;

    /// <summary>Whether there are more than 16 states: they are taken 16 at a time, and h waits in the pool.</summary>
    private const bool ManyStates = false;

    /// <summary>Neighboring lanes with neighboring channels, and the same states and steps.</summary>
    private const int Twins = 2;

    private const int WarpChannels = 32 / (StateLanes * TimeLanes);
    private const int GroupChannels = Threads / (4 * TimeLanes);
    private const int Chunk = TimeLanes * Steps;
    private const int Stage = StageChunks * Chunk;

    /// <summary>From a lane to the one with the next steps.</summary>
    private const int TimeStride = Twins * StateLanes;

    /// <summary>From one channel's delta to the next one's in shared memory: odd where lanes of four channels would meet in a bank.</summary>
    private const int StepPitch = (Chunk / 4) + (TimeLanes == 1 ? 1 : 0);

    private const int StepUnits = GroupChannels * StepPitch;

    /// <summary>Computes one group of channels (x) of one sequence (y).</summary>
    [Unrolled("Wide")]
    [Unrolled("WideBFloat16", "IsBFloat16=true")]
    [Unrolled("WideManyStates", "ManyStates=true", "StageChunks=1")]
    [Unrolled("WideManyStatesBFloat16", "ManyStates=true", "StageChunks=1", "IsBFloat16=true")]
    [Unrolled("Narrow", "TimeLanes=8", "StateLanes=2", "StateWarps=2", "StageChunks=1", "Together=2")]
    [Unrolled("NarrowBFloat16", "TimeLanes=8", "StateLanes=2", "StateWarps=2", "StageChunks=1", "Together=2", "IsBFloat16=true")]
    [Unrolled("NarrowManyStates", "TimeLanes=8", "StateLanes=2", "StateWarps=2", "StageChunks=1", "ManyStates=true")]
    [Unrolled("NarrowManyStatesBFloat16", "TimeLanes=8", "StateLanes=2", "StateWarps=2", "StageChunks=1", "ManyStates=true", "IsBFloat16=true")]
    internal static void Scan(FastScan scan)
    {
        ArrayView<Float4> shared = SharedMemory.Allocate<Float4>(SharedUnits);
        Segment segment = scan.Segments[Grid.IdxY];
        int thread = Group.IdxX, lane = thread & 31, warp = thread >> 5, timeLane = (lane / TimeStride) & (TimeLanes - 1);
        int stateGroup = ((warp & (StateWarps - 1)) * StateLanes) + ((lane / Twins) & (StateLanes - 1));
        int inWarp = (lane / (TimeStride * TimeLanes) * Twins) + (lane & (Twins - 1));
        int inGroup = (warp / StateWarps * WarpChannels) + inWarp, channel = (Grid.IdxX * GroupChannels) + inGroup;
        bool exists = channel < scan.Channels;
        channel = exists ? channel : scan.Channels - 1;
        int ownStep = (timeLane * Steps) + (stateGroup * 4), own = (channel * scan.Pitch) + ((segment.Start + ownStep) >> 2);
        ArrayView<Float4> stepsOfLane = shared.SubView(StepStart + (inGroup * StepPitch) + (timeLane * (Steps / 4)), StepUnits + (Steps / 4));
        long state = State(scan, segment, channel, stateGroup);
        float bias = scan.DeltaBias[channel], skip = scan.D[channel], total = 0f;
        Float4 h = ReadStates(scan.Pool, state), a2 = ReadStates(scan.A2, (channel * scan.States) + stateGroup), ownU = default;
        float[] delta = new float[Steps], input = new float[Steps], sums = new float[Steps];
        FourNumbers nextDelta = default, nextU = default, gate = default;
        Source source = SourceOf(scan, segment);
        int buffer = 0;
        Fetch(scan, shared, source, segment, 0, 0, 0);
        ReadAhead(scan, own, own - (ownStep >> 2), segment.Length - ownStep, ref nextDelta, ref nextU);
        for (int stage = 0; stage < segment.Length; stage += Stage)
        {
            if (ManyStates)
            {
                for (int group = 0; group < scan.States; group += 16)
                {
                    h = ReadStates(scan.Pool, state + group);
                    a2 = ReadStates(scan.A2, (channel * scan.States) + group + stateGroup);
                    bool isLast = group + 16 == scan.States;
                    int nextStage = isLast ? stage + Stage : stage, nextGroup = isLast ? 0 : group + 16;
                    TakeChunk(
                        scan, shared, stepsOfLane, source, segment, stage, stage, group, nextStage, nextGroup, buffer, channel, exists, stateGroup, timeLane, own, ownStep,
                        bias, skip, delta, input, sums, ref total, ref h, a2, ref ownU, ref nextDelta, ref nextU, ref gate);
                    if (exists && timeLane == TimeLanes - 1)
                    {
                        WriteStates(scan.Pool, state + group, h);
                    }

                    buffer ^= 1;
                }
            }
            else if (StageChunks == 1)
            {
                TakeChunk(
                    scan, shared, stepsOfLane, source, segment, stage, stage, 0, stage + Stage, 0, buffer, channel, exists, stateGroup, timeLane, own, ownStep,
                    bias, skip, delta, input, sums, ref total, ref h, a2, ref ownU, ref nextDelta, ref nextU, ref gate);
                buffer ^= 1;
            }
            else
            {
                Arrive(shared, buffer);
                Fetch(scan, shared, source, segment, stage + Stage, 0, buffer ^ 1);
                for (int at = stage; at < XMath.Min(stage + Stage, segment.Length); at += Chunk)
                {
                    TakeChunk(
                        scan, shared, stepsOfLane, source, segment, stage, at, 0, 0, 0, buffer, channel, exists, stateGroup, timeLane, own, ownStep,
                        bias, skip, delta, input, sums, ref total, ref h, a2, ref ownU, ref nextDelta, ref nextU, ref gate);
                }

                buffer ^= 1;
            }
        }

        if (!ManyStates && exists && timeLane == TimeLanes - 1)
        {
            WriteStates(scan.Pool, state, h);
        }
    }

    /// <summary>Takes 16 states through a chunk; those that come last write y.</summary>
    [Inlined]
    private static void TakeChunk(
        FastScan scan,
        ArrayView<Float4> shared,
        ArrayView<Float4> stepsOfLane,
        Source source,
        Segment segment,
        int stage,
        int at,
        int group,
        int nextStage,
        int nextGroup,
        int buffer,
        int channel,
        bool exists,
        int stateGroup,
        int timeLane,
        int own,
        int ownStep,
        float bias,
        float skip,
        float[] delta,
        float[] input,
        float[] sums,
        ref float total,
        ref Float4 h,
        Float4 a2,
        ref Float4 ownU,
        ref FourNumbers nextDelta,
        ref FourNumbers nextU,
        ref FourNumbers gate)
    {
        int left = segment.Length - at - ownStep;
        if (!ManyStates || group == 0)
        {
            Float4 ownDelta = FourNumbers.Widen(nextDelta, IsBFloat16), ownInput = default;
            ownU = FourNumbers.Widen(nextU, IsBFloat16);
            Prepare(left, bias, ref ownDelta, ref ownU, ref ownInput);
            Warp.Barrier();
            stepsOfLane[stateGroup] = ownDelta;
            stepsOfLane[StepUnits + stateGroup] = ownInput;
        }

        if (StageChunks == 1)
        {
            Arrive(shared, buffer);
            Fetch(scan, shared, source, segment, nextStage, nextGroup, buffer ^ 1);
        }
        else
        {
            Warp.Barrier();
        }

        if (!ManyStates || group == 0)
        {
            ReadShared(stepsOfLane, delta, input);
            total = TimeLanes > 1 ? Total(delta) : 0f;
            int any = own - (ownStep >> 2);
            FourNumbers.Read(scan.Z, left > 0 ? own + (at >> 2) : any, IsBFloat16, ref gate);
            ReadAhead(scan, own + ((at + Chunk) >> 2), any, left - Chunk, ref nextDelta, ref nextU);
            for (int t = Unroll.From(0); t < Steps; t++)
            {
                sums[t] = 0f;
            }
        }

        int swizzle = Swizzle(timeLane), unit = (buffer * TileUnits) + (stateGroup * TilePitch) + ((at - stage) >> 2) + (timeLane * (Steps / 4));
        ArrayView<Float4> even = shared.SubView(unit + swizzle, ReachOfLane), odd = IsSwizzled ? shared.SubView(unit + 1 - swizzle, ReachOfLane) : even;
        int from = at + (timeLane * Steps);
        bool saves = scan.Saves != 0 && exists && (from & (ScanArguments.ChunkLength - 1)) == 0 && from < segment.Length;
        int saved = saves ? SavedState(scan, segment, from, channel, group + stateGroup) : 0;
        if (TimeLanes == 1)
        {
            if (saves)
            {
                WriteStates(scan.ChunkStates, saved, h);
            }

            Run(even, odd, delta, input, sums, ref h, a2);
        }
        else
        {
            for (int i = Unroll.From(0); i < 4; i += Together)
            {
                float[,] decays = new float[Together, Steps], terms = new float[Together, Steps];
                float[] states = new float[Together];
                Fold(even, odd, delta, input, total, i, h, a2, timeLane, decays, terms, states);
                if (saves)
                {
                    ArrayView<float> place = scan.ChunkStates.SubView(saved, 16);
                    for (int k = Unroll.From(0); k < Together; k++)
                    {
                        place[4 * (i + k)] = states[k];
                    }
                }

                RunAgain(even, odd, i, decays, terms, states, sums);
                for (int k = Unroll.From(0); k < Together; k++)
                {
                    h[i + k] = Warp.Shuffle(states[k], (Group.IdxX & 31) | (TimeStride * (TimeLanes - 1)));
                }
            }
        }

        if (!ManyStates || nextGroup == 0)
        {
            Float4 y = OwnSums(shared, sums, stateGroup);
            Finish(scan, segment, y, own + (at >> 2), at + ownStep, exists, skip, ownU, gate);
        }
    }
}
