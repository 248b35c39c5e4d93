using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Mamba.Managed.ILGPU.Devices;

/// <summary>Compiled kernels on disk, a file each. What cannot be read, or is not what was written, counts as not there; what cannot be written is left out.</summary>
/// <param name="folder">Made when first written to; null for no cache.</param>
internal sealed class KernelCache(string? folder)
{
    private const string Mark = "mamba-managed kernel 1";
    private const long MostBytes = 1 << 26;

    /// <summary>The folder of this user: below XDG_CACHE_HOME, or where the system has such files.</summary>
    public static string DefaultFolder
    {
        get
        {
            string? given = Environment.GetEnvironmentVariable("XDG_CACHE_HOME");
            string home = Path.IsPathRooted(given) ? given
                : OperatingSystem.IsWindows() ? Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData)
                : Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".cache");
            return Path.Combine(home, "mamba-managed", "kernels");
        }
    }

    /// <summary>The compiled text of a kernel; null where it is not there.</summary>
    /// <param name="description">Of what it is compiled from and for.</param>
    public CachedKernel? Read(string description)
    {
        try
        {
            FileInfo file = new(PathOf(description));
            return folder is not null && file.Exists && file.Length <= MostBytes ? Parse(File.ReadAllText(file.FullName), description) : null;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <summary>Keeps a kernel. Another process may do the same at the same time: each writes a file of its own, and one is renamed last.</summary>
    public void Write(string description, CachedKernel kernel)
    {
        if (folder is null)
        {
            return;
        }

        string path = PathOf(description), aside = $"{path}.{Guid.NewGuid():N}";
        try
        {
            CreateFolder(folder);
            File.WriteAllText(aside, Format(description, kernel));
            File.Move(aside, path, overwrite: true);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            Remove(aside);
        }
    }

    private static string Format(string description, CachedKernel kernel)
    {
        string body = string.Create(CultureInfo.InvariantCulture, $"{description}\n{kernel.SharedBytes} {kernel.IsSharedDynamic}\n{kernel.Text}");
        return $"{Mark}\n{SumOf(body)}\n{body}";
    }

    private static CachedKernel? Parse(string content, string description)
    {
        string[] lines = content.Split('\n', 5);
        if (lines is not [Mark, string sum, string found, string shared, string text] || found != description || sum != SumOf(content[(Mark.Length + sum.Length + 2)..]))
        {
            return null;
        }

        string[] numbers = shared.Split(' ');
        return new(text, int.Parse(numbers[0], CultureInfo.InvariantCulture), bool.Parse(numbers[1]));
    }

    private static string SumOf(string text) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)));

    // For this user alone, since what lies there is run.
    private static void CreateFolder(string path)
    {
        if (OperatingSystem.IsWindows())
        {
            Directory.CreateDirectory(path);
        }
        else
        {
            Directory.CreateDirectory(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        }
    }

    private static void Remove(string path)
    {
        try
        {
            File.Delete(path);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            // It stays, and is never read.
        }
    }

    private string PathOf(string description) => Path.Combine(folder ?? "", KernelKey.HashOf(description) + ".ptx");
}

/// <summary>A compiled kernel.</summary>
/// <param name="Text">PTX, the assembly language of NVIDIA's driver.</param>
/// <param name="SharedBytes">Shared memory of a group.</param>
/// <param name="IsSharedDynamic">Whether the launch says how much more it takes.</param>
internal sealed record CachedKernel(string Text, int SharedBytes, bool IsSharedDynamic);
