using System.Runtime.InteropServices;

namespace Mamba.Managed.ILGPU.Devices;

/// <summary>What the plugin needs of NVIDIA's driver beyond ILGPU: graphs of launches that overlap, and how many groups of a kernel run at a time.</summary>
internal static partial class CudaDriver
{
    private const string Library = "libcuda.so.1";
    private const int Success = 0;
    private const int RelaxedCapture = 2;
    private const int RegistersPerThread = 4;
    private const int LocalBytesPerThread = 3;

    /// <summary>CUDA 12.3, the first whose graphs have launches that overlap.</summary>
    private const int OverlapVersion = 12030;

    /// <summary>Whether the driver is there under the name that it has on Linux.</summary>
    public static bool Exists => NativeLibrary.TryLoad(Library, out _);

    /// <summary>Begins to record what is launched on a stream, instead of running it.</summary>
    /// <exception cref="GpuException">The driver refused.</exception>
    public static void BeginCapture(nint stream) => Check(StreamBeginCapture(stream, RelaxedCapture), "recording launches");

    /// <summary>Whether launches of a graph can overlap, as far as the driver goes.</summary>
    public static bool CanOverlap => DriverVersion(out int version) == Success && version >= OverlapVersion;

    /// <summary>Ends the recording; what it holds can be launched as a whole.</summary>
    /// <param name="stream">Where it began.</param>
    /// <param name="overlaps">Whether each kernel may begin before the one before it has ended, for which it waits by itself. Needs <see cref="CanOverlap"/>, compute capability 9.0, and kernels alone.</param>
    /// <exception cref="GpuException">The driver refused, or something in between cannot be recorded.</exception>
    public static nint EndCapture(nint stream, bool overlaps)
    {
        Check(StreamEndCapture(stream, out nint graph), "recording launches");
        try
        {
            if (overlaps)
            {
                OverlapKernels(graph);
            }

            Check(GraphInstantiate(out nint executable, graph, 0), "preparing a graph of launches");
            return executable;
        }
        finally
        {
            _ = GraphDestroy(graph);
        }
    }

    /// <summary>Ends a recording that failed in between; the stream can be used again.</summary>
    public static void AbandonCapture(nint stream)
    {
        if (StreamEndCapture(stream, out nint graph) == Success && graph != 0)
        {
            _ = GraphDestroy(graph);
        }
    }

    /// <summary>Launches a graph.</summary>
    /// <exception cref="GpuException">The driver refused.</exception>
    public static void Launch(nint executable, nint stream) => Check(GraphLaunch(executable, stream), "launching a graph");

    /// <summary>Frees a graph. The caller has synchronized.</summary>
    public static void Destroy(nint executable) => _ = GraphExecDestroy(executable);

    /// <summary>How many groups of a kernel run on a multiprocessor at a time.</summary>
    /// <param name="function">The kernel.</param>
    /// <param name="threads">Threads of a group.</param>
    /// <exception cref="GpuException">The driver refused.</exception>
    public static int ActiveGroups(nint function, int threads)
    {
        Check(OccupancyMaxActiveBlocks(out int groups, function, threads, 0), "asking how many groups run at a time");
        return groups;
    }

    /// <summary>What the driver's compiler made of a kernel: registers of a thread, and bytes of local memory, which should be none.</summary>
    /// <exception cref="GpuException">The driver refused.</exception>
    public static (int Registers, int LocalBytes) Resources(nint function)
    {
        Check(FunctionAttribute(out int registers, RegistersPerThread, function), "asking for a kernel's registers");
        Check(FunctionAttribute(out int bytes, LocalBytesPerThread, function), "asking for a kernel's local memory");
        return (registers, bytes);
    }

    /// <summary>Replaces every edge of a graph of kernels by one that lets the later kernel begin when the earlier one says so.</summary>
    private static void OverlapKernels(nint graph)
    {
        const string Action = "letting launches overlap";
        nuint count = 0;
        Check(GraphEdges(graph, null, null, null, ref count), Action);
        nint[] from = new nint[count], to = new nint[count];
        GraphEdge[] edges = new GraphEdge[count];
        Check(GraphEdges(graph, from, to, edges, ref count), Action);
        Check(GraphRemoveDependencies(graph, from, to, edges, count), Action);
        Array.Fill(edges, GraphEdge.Overlapping);
        Check(GraphAddDependencies(graph, from, to, edges, count), Action);
    }

    private static void Check(int result, string action)
    {
        if (result != Success)
        {
            string reason = ErrorString(result, out nint text) == Success ? Marshal.PtrToStringUTF8(text) ?? "" : "unknown error";
            throw new GpuException($"{action}: expected success, found the driver's error {result}, {reason}; see whether the device is still there with 'nvidia-smi'");
        }
    }

    [LibraryImport(Library, EntryPoint = "cuStreamBeginCapture_v2")]
    private static partial int StreamBeginCapture(nint stream, int mode);

    [LibraryImport(Library, EntryPoint = "cuStreamEndCapture")]
    private static partial int StreamEndCapture(nint stream, out nint graph);

    [LibraryImport(Library, EntryPoint = "cuGraphInstantiateWithFlags")]
    private static partial int GraphInstantiate(out nint executable, nint graph, ulong flags);

    [LibraryImport(Library, EntryPoint = "cuGraphLaunch")]
    private static partial int GraphLaunch(nint executable, nint stream);

    [LibraryImport(Library, EntryPoint = "cuGraphExecDestroy")]
    private static partial int GraphExecDestroy(nint executable);

    [LibraryImport(Library, EntryPoint = "cuGraphDestroy")]
    private static partial int GraphDestroy(nint graph);

    [LibraryImport(Library, EntryPoint = "cuGraphGetEdges_v2")]
    private static partial int GraphEdges(nint graph, [Out] nint[]? from, [Out] nint[]? to, [Out] GraphEdge[]? edges, ref nuint count);

    [LibraryImport(Library, EntryPoint = "cuGraphRemoveDependencies_v2")]
    private static partial int GraphRemoveDependencies(nint graph, nint[] from, nint[] to, GraphEdge[] edges, nuint count);

    [LibraryImport(Library, EntryPoint = "cuGraphAddDependencies_v2")]
    private static partial int GraphAddDependencies(nint graph, nint[] from, nint[] to, GraphEdge[] edges, nuint count);

    [LibraryImport(Library, EntryPoint = "cuDriverGetVersion")]
    private static partial int DriverVersion(out int version);

    [LibraryImport(Library, EntryPoint = "cuFuncGetAttribute")]
    private static partial int FunctionAttribute(out int value, int attribute, nint function);

    [LibraryImport(Library, EntryPoint = "cuOccupancyMaxActiveBlocksPerMultiprocessor")]
    private static partial int OccupancyMaxActiveBlocks(out int groups, nint function, int threads, nuint sharedBytes);

    [LibraryImport(Library, EntryPoint = "cuGetErrorString")]
    private static partial int ErrorString(int result, out nint text);

    /// <summary>The driver's CUgraphEdgeData.</summary>
    [StructLayout(LayoutKind.Sequential, Size = 8)]
    private readonly record struct GraphEdge(byte FromPort, byte ToPort, byte Type)
    {
        private const byte Programmatic = 1;

        /// <summary>From the place where all groups of a kernel have let the next one begin.</summary>
        public static GraphEdge Overlapping => new(Programmatic, 0, Programmatic);
    }
}
