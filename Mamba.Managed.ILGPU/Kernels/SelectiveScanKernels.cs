using ILGPU;
using ILGPU.Algorithms;
using ILGPU.Runtime.Cuda;
using Mamba.Managed.ILGPU.Unrolling;

namespace Mamba.Managed.ILGPU.Kernels;

#pragma warning disable CS0162 // Unreachable code: variants of the template set its constants.

/// <summary>The scan of groups of channels of one sequence, for GPUs with warps of 32.</summary>
/// <remarks>
/// A channel has four lanes for its states, four states each, and these again <see cref="TimeLanes"/> times, each with 16 consecutive steps of a chunk. A lane
/// prepares delta and delta u of the four steps that are its own, and shares them through shared memory. The chain of h is computed for one state at a time, in
/// registers; the sums over states come together by exchanges that leave every lane with its own four steps.
/// <para>
/// With one time lane a state runs through the steps as the definition says. With several, each time lane first folds its steps into one, h -> P h + f; a prefix
/// over the lanes gives the h with which each begins, and the steps are done again with the decays that are still in registers: no exponential is
/// computed twice. Few channels fill the GPU so, at the price of the second turn.
/// </para>
/// B and C are staged in shared memory, see <c>Fetch</c>.
/// </remarks>
internal static partial class SelectiveScanKernels
{
    /// <summary>Threads of a group.</summary>
    public const int Threads = 128;

    /// <summary>Lanes that share a channel's states.</summary>
    private const int StateLanes = 4;

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

    private const int WarpChannels = 32 / (StateLanes * TimeLanes);
    private const int GroupChannels = Threads / (StateLanes * TimeLanes);
    private const int Chunk = TimeLanes * Steps;
    private const int Stage = StageChunks * Chunk;

    /// <summary>From one channel's delta to the next one's in shared memory: odd, so that lanes of different channels meet in no bank.</summary>
    private const int StepPitch = (Chunk / 4) + 1;

    private const int StepUnits = GroupChannels * StepPitch;

    /// <summary>Computes one group of channels (x) of one sequence (y).</summary>
    [Unrolled("Wide")]
    [Unrolled("WideBFloat16", "IsBFloat16=true")]
    [Unrolled("WideManyStates", "ManyStates=true", "StageChunks=1")]
    [Unrolled("WideManyStatesBFloat16", "ManyStates=true", "StageChunks=1", "IsBFloat16=true")]
    [Unrolled("Narrow", "TimeLanes=8", "StageChunks=1", "Together=2")]
    [Unrolled("NarrowBFloat16", "TimeLanes=8", "StageChunks=1", "Together=2", "IsBFloat16=true")]
    [Unrolled("NarrowManyStates", "TimeLanes=8", "StageChunks=1", "ManyStates=true")]
    [Unrolled("NarrowManyStatesBFloat16", "TimeLanes=8", "StageChunks=1", "ManyStates=true", "IsBFloat16=true")]
    internal static void Scan(FastScan scan)
    {
        ArrayView<Float4> shared = SharedMemory.Allocate<Float4>(SharedUnits);
        ArrayView<Float4> steps = shared.SubView(2 * TileUnits, 2 * StepUnits);
        Segment segment = scan.Segments[Grid.IdxY];
        int thread = Group.IdxX, lane = thread & 31, stateLane = lane & 3, timeLane = (lane >> 2) & (TimeLanes - 1);
        int inGroup = ((thread >> 5) * WarpChannels) + (lane / (StateLanes * TimeLanes)), channel = (Grid.IdxX * GroupChannels) + inGroup;
        bool exists = channel < scan.Channels;
        channel = exists ? channel : scan.Channels - 1;
        int ownStep = (timeLane * Steps) + (stateLane * 4), own = (channel * scan.Pitch) + ((segment.Start + ownStep) >> 2);
        int stepUnit = inGroup * StepPitch, selections = stateLane * TilePitch;
        int parameters = (channel * (scan.States / 4)) + stateLane;
        float bias = scan.DeltaBias[channel], skip = scan.D[channel], total = 0f;
        Float4 h = scan.Pool[State(scan, segment) + parameters], a2 = scan.A2[parameters], ownU = default;
        float[] delta = new float[Steps], input = new float[Steps], sums = new float[Steps];
        FourNumbers nextDelta = default, nextU = default, gate = default;
        int buffer = 0;
        Fetch(scan, shared, segment, 0, 0, 0);
        ReadAhead(scan, own, segment.Length - ownStep, ref nextDelta, ref nextU);
        for (int stage = 0; stage < segment.Length; stage += Stage)
        {
            int end = XMath.Min(stage + Stage, segment.Length);
            for (int group = 0; group < (ManyStates ? scan.States : 16); group += 16)
            {
                Arrive(shared, buffer);
                bool isLast = !ManyStates || group + 16 == scan.States;
                Fetch(scan, shared, segment, isLast ? stage + Stage : stage, isLast ? 0 : group + 16, buffer ^ 1);
                if (ManyStates)
                {
                    h = scan.Pool[State(scan, segment) + parameters + (group / 4)];
                    a2 = scan.A2[parameters + (group / 4)];
                }

                for (int at = stage; at < end; at += Chunk)
                {
                    if (!ManyStates || group == 0)
                    {
                        int left = segment.Length - at - ownStep;
                        Float4 ownDelta = FourNumbers.Widen(nextDelta, IsBFloat16), ownInput = default;
                        ownU = FourNumbers.Widen(nextU, IsBFloat16);
                        Prepare(left, bias, ref ownDelta, ref ownU, ref ownInput);
                        Share(steps, stepUnit, timeLane, stateLane, ownDelta, ownInput, delta, input);
                        total = Total(ownDelta);
                        if (left > 0)
                        {
                            FourNumbers.Read(scan.Z, own + (at >> 2), IsBFloat16, ref gate);
                        }

                        ReadAhead(scan, own + ((at + Chunk) >> 2), left - Chunk, ref nextDelta, ref nextU);
                        for (int t = Unroll.From(0); t < Steps; t++)
                        {
                            sums[t] = 0f;
                        }
                    }

                    ArrayView<Float4> tile = shared.SubView((buffer * TileUnits) + selections + ((at - stage) >> 2) + (timeLane * (Steps / 4)), ReachOfLane);
                    int from = at + (timeLane * Steps);
                    bool saves = scan.Saves != 0 && exists && (from & (ScanArguments.ChunkLength - 1)) == 0 && from < segment.Length;
                    int saved = saves ? SavedState(scan, segment, from, channel, group + (stateLane * 4)) : 0;
                    if (TimeLanes == 1)
                    {
                        if (saves)
                        {
                            for (int i = Unroll.From(0); i < 4; i++)
                            {
                                scan.ChunkStates[saved + i] = h[i];
                            }
                        }

                        Run(tile, delta, input, sums, ref h, a2);
                    }
                    else
                    {
                        for (int i = Unroll.From(0); i < 4; i += Together)
                        {
                            float[,] decays = new float[Together, Steps], terms = new float[Together, Steps];
                            float[] states = new float[Together];
                            Fold(tile, delta, input, total, i, ref h, a2, lane, timeLane, decays, terms, states);
                            for (int k = Unroll.From(0); k < Together; k++)
                            {
                                if (saves)
                                {
                                    scan.ChunkStates[saved + i + k] = states[k];
                                }
                            }

                            RunAgain(tile, i, decays, terms, states, sums);
                        }
                    }

                    if (isLast)
                    {
                        Finish(scan, segment, sums, stateLane, own + (at >> 2), at + ownStep, exists, skip, ownU, gate);
                    }
                }

                if (ManyStates && exists && timeLane == TimeLanes - 1)
                {
                    scan.Pool[State(scan, segment) + parameters + (group / 4)] = h;
                }

                buffer ^= 1;
            }
        }

        if (!ManyStates && exists && timeLane == TimeLanes - 1)
        {
            scan.Pool[State(scan, segment) + parameters] = h;
        }
    }
}
