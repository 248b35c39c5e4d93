using System.Runtime.InteropServices;

namespace Mamba.Managed.ILGPU.Devices;

/// <summary>What the plugin needs of NVIDIA's driver beyond ILGPU: graphs of launches, and how many groups of a kernel run at a time.</summary>
internal static partial class CudaDriver
{
    private const string Library = "libcuda.so.1";
    private const int Success = 0;
    private const int RelaxedCapture = 2;
    private const int RegistersPerThread = 4;
    private const int LocalBytesPerThread = 3;

    /// <summary>Whether the driver is there under the name that it has on Linux.</summary>
    public static bool Exists => NativeLibrary.TryLoad(Library, out _);

    /// <summary>Begins to record what is launched on a stream, instead of running it.</summary>
    /// <exception cref="GpuException">The driver refused.</exception>
    public static void BeginCapture(nint stream) => Check(StreamBeginCapture(stream, RelaxedCapture), "recording launches");

    /// <summary>Ends the recording; what it holds can be launched as a whole.</summary>
    /// <exception cref="GpuException">The driver refused, or something in between cannot be recorded.</exception>
    public static nint EndCapture(nint stream)
    {
        Check(StreamEndCapture(stream, out nint graph), "recording launches");
        try
        {
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

    [LibraryImport(Library, EntryPoint = "cuFuncGetAttribute")]
    private static partial int FunctionAttribute(out int value, int attribute, nint function);

    [LibraryImport(Library, EntryPoint = "cuOccupancyMaxActiveBlocksPerMultiprocessor")]
    private static partial int OccupancyMaxActiveBlocks(out int groups, nint function, int threads, nuint sharedBytes);

    [LibraryImport(Library, EntryPoint = "cuGetErrorString")]
    private static partial int ErrorString(int result, out nint text);
}
