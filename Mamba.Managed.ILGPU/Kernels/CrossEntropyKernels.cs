using ILGPU;
using ILGPU.Algorithms;
using ILGPU.Runtime;
using Mamba.Managed.ILGPU.Devices;

namespace Mamba.Managed.ILGPU.Kernels;

/// <content>
/// The fast form: a group reads a chunk of the vocabulary for 32 columns, a lane a column and a warp every eighth row, so that each load of a warp
/// is one line of memory; then one work item a column combines the chunks in ascending order.
/// </content>
internal static partial class CrossEntropy
{
    private const int ChunkRows = 1024;
    private const int Warps = 8;
    private const int Lanes = 32;

    internal static void Fast(GpuSession session, in Arguments arguments)
    {
        int tiles = (arguments.Columns + Lanes - 1) / Lanes;
        KernelConfig config = new(new Index3D(tiles, Chunks(arguments.Vocabulary), 1), new Index3D(Warps * Lanes, 1, 1));
        session.Grouped<Arguments>(ChunkKernel, Warps * Lanes)(config, arguments);
        session.Plain<Arguments>(CombineColumn)(arguments.Columns, arguments);
    }

    private static int Chunks(int vocabulary) => (vocabulary + ChunkRows - 1) / ChunkRows;

    private static void ChunkKernel(Arguments p)
    {
        int lane = Group.IdxX % Lanes, warp = Group.IdxX / Lanes;
        int column = (Grid.IdxX * Lanes) + lane;
        int start = Grid.IdxY * ChunkRows;
        int end = XMath.Min(start + ChunkRows, p.Vocabulary);
        float greatest = float.NegativeInfinity, sum = 0;
        if (column < p.Columns && p.Targets[column] >= 0)
        {
            int row = start + warp;
            for (; row + (3 * Warps) < end; row += 4 * Warps)
            {
                long at = ((long)row * p.Pitch) + column;
                long step = (long)Warps * p.Pitch;
                float a = p.Logits[at], b = p.Logits[at + step], c = p.Logits[at + (2 * step)], d = p.Logits[at + (3 * step)];
                float most = Larger(Larger(Larger(Larger(greatest, a), b), c), d);
                sum = (sum * Exponential(greatest - most)) + Exponential(a - most) + Exponential(b - most) + Exponential(c - most) + Exponential(d - most);
                greatest = most;
            }

            for (; row < end; row += Warps)
            {
                float a = p.Logits[((long)row * p.Pitch) + column], most = Larger(greatest, a);
                sum = (sum * Exponential(greatest - most)) + Exponential(a - most);
                greatest = most;
            }
        }

        ArrayView<float> greatests = SharedMemory.Allocate<float>(Warps * Lanes), sums = SharedMemory.Allocate<float>(Warps * Lanes);
        greatests[Group.IdxX] = greatest;
        sums[Group.IdxX] = sum;
        Group.Barrier();
        if (warp == 0 && column < p.Columns)
        {
            for (int other = 1; other < Warps; other++)
            {
                Merge(ref greatest, ref sum, greatests[(other * Lanes) + lane], sums[(other * Lanes) + lane]);
            }

            p.Workspace[((long)Grid.IdxY * p.Columns) + column] = greatest;
            p.Workspace[((long)(Grid.DimY + Grid.IdxY) * p.Columns) + column] = sum;
        }
    }

    private static void CombineColumn(Index1D column, Arguments p)
    {
        int target = p.Targets[column];
        float greatest = 0, sum = 1, right = 0;
        if (target >= 0)
        {
            int chunks = (p.Vocabulary + ChunkRows - 1) / ChunkRows;
            greatest = p.Workspace[column];
            sum = p.Workspace[((long)chunks * p.Columns) + column];
            for (int chunk = 1; chunk < chunks; chunk++)
            {
                Merge(ref greatest, ref sum, p.Workspace[((long)chunk * p.Columns) + column], p.Workspace[((long)(chunks + chunk) * p.Columns) + column]);
            }

            right = p.Logits[((long)target * p.Pitch) + column];
        }

        p.Statistics[column] = greatest;
        p.Statistics[p.Columns + column] = sum;
        p.Statistics[(2 * p.Columns) + column] = right;
    }

    // Rows that a warp did not have leave minus infinity, whose sum of 0 adds nothing; infinity minus infinity would be NaN.
    private static void Merge(ref float greatest, ref float sum, float otherGreatest, float otherSum)
    {
        float most = Larger(greatest, otherGreatest);
        sum = (greatest == most ? sum : sum * Exponential(greatest - most)) + (otherGreatest == most ? otherSum : otherSum * Exponential(otherGreatest - most));
        greatest = most;
    }

    private static float Larger(float a, float b) => b > a ? b : a;
}
